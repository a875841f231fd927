"""Shapes: a data set that the program draws itself, so that training needs no download.

A run is resumed and evaluated only on the images that it was trained on, so every machine must draw the same
pixels: see `rounded_functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.dataset import Dataset, Pixels, Split, from_channels_last
from cnnstudio.data.images.rounded_functions import Floats, cosine, sine
from cnnstudio.data.images.shape_outlines import OUTLINES, Outline
from cnnstudio.data.sources.base import Source
from cnnstudio.data.storage.decoded_cache import get_or_create

VERSION = 2
"""Raised with every change to what is drawn, so that older cached images are not used."""
FINGERPRINT = "4c5755186ed58ead8e6593244295c707fa33484d6d9b780a31ab65fd28e4a22d"
FORMER_FINGERPRINTS = (
    "a4eebade1dd3a932ea57adda56db2d78188c435251e9d7e8c749df1f8a0422ae",  # with AVX-512
    "62c8f5edf9cb7b57178d2ed3170292dee35f174c6102662270d83701e735c6fe",  # with AVX2
    "cfcb5f37afca5536ffa8dee018e1f652a34544f0be5b846fe8bb499dd3dbcdf2",  # with neither
)
"""Of version 1, where at most 24 of 36,864,000 values differ, by one level, as numpy computed them there."""
SIDE = 32
TRAIN_PER_CLASS, TEST_PER_CLASS = 1_000, 200


@dataclass(frozen=True)
class Difficulty:
    """How clearly the shapes are to be seen. The numbers are ranges, in pixels, radians and brightness."""

    name: str
    what: str
    radius: tuple[float, float]
    max_offset: float
    """How far the middle of a shape may be from that of the image."""
    max_angle: float
    noise: tuple[float, float]
    waves: float
    contrast: float = 1
    """How far the color of a shape is from that of the background, at most."""


NORMAL = Difficulty("", "", (9.5, 14), 5, 0.45, (0.01, 0.05), 0.06)
EASY = Difficulty("easy", ", large and clear", (12, 14), 2, 0.2, (0.005, 0.02), 0)
HARD = Difficulty("hard", ", small, faint and turned any way", (5, 9), 9, 3.1, (0.04, 0.1), 0.12, 0.6)

_SEED = (1959, 1)
_CHUNK = 200  # images drawn at once: few enough for their arrays to stay in the CPU cache


class Shapes(Source):
    """Ten shapes in random colors, sizes, positions and rotations on random backgrounds."""

    former_fingerprints: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(FORMER_FINGERPRINTS, FINGERPRINT)
    )

    def __init__(self, difficulty: Difficulty = NORMAL) -> None:
        self.difficulty = difficulty
        self.name = "-".join(filter(None, ("shapes", difficulty.name)))
        self.title = f"Shapes ({difficulty.name})" if difficulty.name else "Shapes"
        what = difficulty.what or " in random colors, sizes and positions"
        self.description = f"12,000 generated images, 32 × 32, of ten shapes{what}"

    @classmethod
    def discover(cls) -> list[Self]:
        return [cls(difficulty) for difficulty in (NORMAL, EASY, HARD)]

    def available(self) -> bool:
        return True

    def image_shape(self, cancelled: CancelFunction = never_cancelled) -> tuple[int, int, int] | None:
        return 3, SIDE, SIDE

    def info(self) -> dict[str, Any]:
        return super().info() | {
            "classes": list(OUTLINES),
            "shape": [3, SIDE, SIDE],
            "train": TRAIN_PER_CLASS * len(OUTLINES),
            "test": TEST_PER_CLASS * len(OUTLINES),
        }

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        return get_or_create(
            self.name,
            VERSION,
            lambda writer: writer.write(self._draw(throttled(progress), cancelled)),
            progress,
            cancelled,
        )

    def _draw(self, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        total = (TRAIN_PER_CLASS + TEST_PER_CLASS) * len(OUTLINES)
        drawn = 0

        def on_chunk(images: int) -> None:
            nonlocal drawn
            raise_if_cancelled(cancelled)
            drawn += images
            progress(Progress(drawn, total, f"Drawing {self.title}: {drawn:,} of {total:,} images"))

        train, test = (
            draw_split(np.random.default_rng([*_SEED, part]), per_class, on_chunk, self.difficulty)
            for part, per_class in enumerate((TRAIN_PER_CLASS, TEST_PER_CLASS))
        )
        return Dataset(self.name, self.title, tuple(OUTLINES), train, test)


def draw_split(
    random: np.random.Generator,
    per_class: int,
    on_chunk: Callable[[int], None],
    difficulty: Difficulty = NORMAL,
) -> Split:
    """`per_class` images of each shape in random order, uint8 (N, 3, SIDE, SIDE).

    Calls `on_chunk` with the number of images after every chunk.
    """
    order = random.permutation(per_class * len(OUTLINES))
    images = np.empty((len(order), SIDE, SIDE, 3), np.uint8)
    labels = np.empty(len(order), np.int64)
    for label, outline in enumerate(OUTLINES.values()):
        members = order[label * per_class : (label + 1) * per_class]
        labels[members] = label
        for start in range(0, per_class, _CHUNK):
            chunk = members[start : start + _CHUNK]
            images[chunk] = _draw_images(random, outline, len(chunk), difficulty)
            on_chunk(len(chunk))
    return Split(from_channels_last(images), labels)


def _draw_images(
    random: np.random.Generator, outline: Outline, number: int, difficulty: Difficulty
) -> Pixels:
    """The shape on noisy backgrounds: uint8 (number, SIDE, SIDE, 3)."""
    row, column = np.divmod(np.arange(SIDE * SIDE, dtype=np.float32), SIDE)
    x, y = column - (SIDE - 1) / 2, (SIDE - 1) / 2 - row
    coverage = _coverage(random, outline, x, y, number, difficulty)
    first, second, ink = _colors(random, number)
    if difficulty.contrast < 1:
        ink = first + (ink - first) * np.float32(difficulty.contrast)
    gradient = _position_along(random, x, y, number) / (1.4 * SIDE) + 0.5
    waves = _waves(random, x, y, number, difficulty.waves)
    images = random.standard_normal((number, SIDE * SIDE, 3), dtype=np.float32)
    images *= _uniform(random, number, *difficulty.noise)[:, :, None]
    for channel in range(3):
        start, end = first[:, channel, None], second[:, channel, None]
        background = start + (end - start) * gradient + waves
        images[..., channel] += background + (ink[:, channel, None] - background) * coverage
    np.clip(images, 0, 1, out=images)
    images *= 255
    images += 0.5
    return images.astype(np.uint8).reshape(number, SIDE, SIDE, 3)


def _coverage(
    random: np.random.Generator, outline: Outline, x: Floats, y: Floats, number: int, difficulty: Difficulty
) -> Floats:
    """The fraction of each pixel that is inside the shape: float32 (number, pixels), 0 to 1."""
    radius = _uniform(random, number, *difficulty.radius)
    max_offset = np.minimum(SIDE / 2 - 0.85 * radius, difficulty.max_offset)
    x = x - max_offset * _uniform(random, number, -1, 1)
    y = y - max_offset * _uniform(random, number, -1, 1)
    angle = _uniform(random, number, -difficulty.max_angle, difficulty.max_angle)
    stretch = _uniform(random, number, 0.9, 1.1)
    right, up = cosine(angle) / radius, sine(angle) / radius
    distance = outline((right * x + up * y) * stretch, (right * y - up * x) / stretch)
    # Blending over a width of one pixel antialiases the edge.
    return np.clip(0.5 - distance * radius, 0, 1)


def _colors(random: np.random.Generator, number: int) -> tuple[Floats, Floats, Floats]:
    """Two similar colors for the background and one for the shape: float32 (number, 3) each, 0 to 1.

    Half of the images are light on dark, half the reverse, so that brightness alone does not give the class
    away.
    """
    first = random.random((number, 3), dtype=np.float32) * 0.5
    second = np.clip(first + random.uniform(-0.3, 0.3, (number, 3)).astype(np.float32), 0, 0.5)
    ink = random.random((number, 3), dtype=np.float32)
    ink *= _uniform(random, number, 0.7, 1) / ink.max(axis=1, keepdims=True)
    reverse = random.random((number, 1)) < 0.5
    first, second, ink = (np.where(reverse, 1 - color, color) for color in (first, second, ink))
    return first, second, ink


def _waves(random: np.random.Generator, x: Floats, y: Floats, number: int, highest: float) -> Floats:
    """Faint waves of random direction and frequency: float32 (number, pixels)."""
    frequency, phase = _uniform(random, number, 0.2, 1.2), _uniform(random, number, 0, 2 * np.pi)
    position = _position_along(random, x, y, number)
    return sine(position * frequency + phase) * _uniform(random, number, 0, highest)


def _position_along(random: np.random.Generator, x: Floats, y: Floats, number: int) -> Floats:
    """The position of each pixel along a random direction per image: float32 (number, pixels), in pixels."""
    direction = _uniform(random, number, 0, 2 * np.pi)
    return cosine(direction) * x + sine(direction) * y


def _uniform(random: np.random.Generator, number: int, low: float, high: float) -> Floats:
    """One random number per image: float32 (number, 1)."""
    return random.uniform(low, high, (number, 1)).astype(np.float32)
