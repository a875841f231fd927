"""Shapes: a data set that the program draws itself, so that learning works without any network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.dataset import Dataset, Pixels, Split, from_channels_last
from cnnstudio.data.images.shape_outlines import OUTLINES, Floats, Outline
from cnnstudio.data.sources.base import Source
from cnnstudio.data.storage.decoded_cache import kept_or_made

VERSION = 1
"""Goes up with every change to what is drawn."""
SIDE = 32
TRAIN_PER_CLASS, TEST_PER_CLASS = 1_000, 200

_SEED = 1959
_CHUNK = 200  # images drawn at once: their arrays stay within the processor's cache


class Shapes(Source):
    """Ten kinds of outline in any color, size, place, tilt and background."""

    name = "shapes"
    title = "Shapes"
    description = (
        "12,000 drawn images, 32 × 32, of ten shapes in all colors, sizes and places; made by the program"
    )

    def available(self) -> bool:
        return True

    def info(self) -> dict[str, Any]:
        return super().info() | {
            "classes": list(OUTLINES),
            "shape": [3, SIDE, SIDE],
            "train": TRAIN_PER_CLASS * len(OUTLINES),
            "test": TEST_PER_CLASS * len(OUTLINES),
        }

    def load(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> Dataset:
        return kept_or_made(
            self.name,
            VERSION,
            lambda drafts: drafts.take(self._draw(throttled(progress), cancelled)),
            progress,
            cancelled,
        )

    def _draw(self, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        whole = (TRAIN_PER_CLASS + TEST_PER_CLASS) * len(OUTLINES)
        drawn = 0

        def count(images: int) -> None:
            nonlocal drawn
            check(cancelled)
            drawn += images
            progress(Progress(drawn, whole, f"Drawing {self.title}: {drawn:,} of {whole:,} images"))

        train = draw_split(np.random.default_rng([_SEED, VERSION, 0]), TRAIN_PER_CLASS, count)
        test = draw_split(np.random.default_rng([_SEED, VERSION, 1]), TEST_PER_CLASS, count)
        return Dataset(self.name, self.title, tuple(OUTLINES), train, test)


def draw_split(random: np.random.Generator, per_class: int, count: Callable[[int], None]) -> Split:
    """`per_class` images of each outline in mixed order. `count` hears how many more are drawn."""
    order = random.permutation(per_class * len(OUTLINES))
    images = np.empty((len(order), SIDE, SIDE, 3), np.uint8)
    labels = np.empty(len(order), np.int64)
    for label, outline in enumerate(OUTLINES.values()):
        members = order[label * per_class : (label + 1) * per_class]
        labels[members] = label
        for start in range(0, per_class, _CHUNK):
            chunk = members[start : start + _CHUNK]
            images[chunk] = _draw_images(random, outline, len(chunk))
            count(len(chunk))
    return Split(from_channels_last(images), labels)


def _draw_images(random: np.random.Generator, outline: Outline, number: int) -> Pixels:
    """(number, SIDE, SIDE, 3): the outline on backgrounds with noise."""
    row, column = np.divmod(np.arange(SIDE * SIDE, dtype=np.float32), SIDE)
    x, y = column - (SIDE - 1) / 2, (SIDE - 1) / 2 - row
    cover = _cover(random, outline, x, y, number)
    first, second, ink = _colors(random, number)
    ramp = _along(random, x, y, number) / (1.4 * SIDE) + 0.5
    ripple = _ripple(random, x, y, number)
    images = random.standard_normal((number, SIDE * SIDE, 3), dtype=np.float32)
    images *= _uniform(random, number, 0.01, 0.05)[:, :, None]
    for channel in range(3):
        start, end = first[:, channel, None], second[:, channel, None]
        background = start + (end - start) * ramp + ripple
        images[..., channel] += background + (ink[:, channel, None] - background) * cover
    np.clip(images, 0, 1, out=images)
    images *= 255
    images += 0.5
    return images.astype(np.uint8).reshape(number, SIDE, SIDE, 3)


def _cover(random: np.random.Generator, outline: Outline, x: Floats, y: Floats, number: int) -> Floats:
    """(number, pixels): how much of each pixel lies within the outline, 0 to 1."""
    radius = _uniform(random, number, 9.5, 14)
    room = np.minimum(SIDE / 2 - 0.85 * radius, 5)
    x = x - room * _uniform(random, number, -1, 1)
    y = y - room * _uniform(random, number, -1, 1)
    tilt = _uniform(random, number, -0.45, 0.45)
    stretch = _uniform(random, number, 0.9, 1.1)
    cosine, sine = np.cos(tilt) / radius, np.sin(tilt) / radius
    distance = outline((cosine * x + sine * y) * stretch, (cosine * y - sine * x) / stretch)
    # The edge is one pixel wide, so that no staircase shows.
    return np.clip(0.5 - distance * radius, 0, 1)


def _colors(random: np.random.Generator, number: int) -> tuple[Floats, Floats, Floats]:
    """Two neighboring colors for the background and one for the shape, (number, 3) each.

    Light on dark, or the reverse: brightness alone tells nothing.
    """
    first = random.random((number, 3), dtype=np.float32) * 0.5
    second = np.clip(first + random.uniform(-0.3, 0.3, (number, 3)).astype(np.float32), 0, 0.5)
    ink = random.random((number, 3), dtype=np.float32)
    ink *= _uniform(random, number, 0.7, 1) / ink.max(axis=1, keepdims=True)
    reverse = random.random((number, 1)) < 0.5
    first, second, ink = (np.where(reverse, 1 - color, color) for color in (first, second, ink))
    return first, second, ink


def _ripple(random: np.random.Generator, x: Floats, y: Floats, number: int) -> Floats:
    """(number, pixels): faint waves of any direction and width."""
    frequency, phase = _uniform(random, number, 0.2, 1.2), _uniform(random, number, 0, 2 * np.pi)
    return np.sin(_along(random, x, y, number) * frequency + phase) * _uniform(random, number, 0, 0.06)


def _along(random: np.random.Generator, x: Floats, y: Floats, number: int) -> Floats:
    """(number, pixels): how far each pixel lies along a direction of each image's own."""
    direction = _uniform(random, number, 0, 2 * np.pi)
    return np.cos(direction) * x + np.sin(direction) * y


def _uniform(random: np.random.Generator, number: int, low: float, high: float) -> Floats:
    """One number for each image, (number, 1)."""
    return random.uniform(low, high, (number, 1)).astype(np.float32)
