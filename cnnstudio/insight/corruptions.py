"""Images made worse in five ways and five strengths, as cameras and the world do. Needs no torch.

The ways are some of those of Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations, and rotation. The strengths are this program's own: they go from what is hardly
seen to what people still recognize.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from cnnstudio.data.dataset import Pixels

STRENGTHS = 5

_REFERENCE_SIDE = 32
"""Blur is given in pixels of an image of that side, so that it means the same in larger ones."""
_SEED = 0


@dataclass(frozen=True)
class Corruption:
    """One way to make images worse."""

    name: str
    """As JSON and CSV name it."""
    title: str
    unit: str
    """What the amounts are: `quality`."""
    amounts: tuple[float, ...]
    """STRENGTHS of them, the mildest first."""
    apply: Callable[[Pixels, float, int], Pixels]
    """Of images uint8 (n, C, H, W), an amount, and the number of the first image, which noise depends on."""

    def label(self, strength: int) -> str:
        """`quality 40`, of strength 1 to STRENGTHS."""
        return self.unit.format(f"{self.amounts[strength - 1]:g}")


def _each(images: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    """Images of 1 or 3 channels, each changed as one of Pillow's of the same size and mode."""
    result = np.empty_like(images)
    for index, pixels in enumerate(images):
        is_gray = len(pixels) == 1
        image = Image.fromarray(pixels[0] if is_gray else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        changed = np.asarray(change(image))
        result[index] = changed[None] if is_gray else changed.transpose(2, 0, 1)
    return result


def _blur(images: Pixels, amount: float, first: int) -> Pixels:
    radius = amount * min(images.shape[2:]) / _REFERENCE_SIDE
    return _each(images, lambda image: image.filter(ImageFilter.GaussianBlur(radius)))


def _noise(images: Pixels, amount: float, first: int) -> Pixels:
    # A generator for each image, so that it gets the same noise whatever it is computed with.
    drawn = [
        np.random.default_rng((_SEED, first + index)).standard_normal(image.shape, np.float32)
        for index, image in enumerate(images)
    ]
    noisy: Pixels = np.clip(images + amount * np.stack(drawn) + 0.5, 0, 255).astype(np.uint8)
    return noisy


def _compress(images: Pixels, amount: float, first: int) -> Pixels:
    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=round(amount))
        return Image.open(file)

    return _each(images, compressed)


def _darken(images: Pixels, amount: float, first: int) -> Pixels:
    darker: Pixels = (images * np.float32(amount / 100) + 0.5).astype(np.uint8)
    return darker


def _rotate(images: Pixels, amount: float, first: int) -> Pixels:
    """About the center; what comes in at the corners is the image mirrored at its edges."""
    height, width = images.shape[2:]
    margins = [min(size // 4 + 1, size - 1) for size in (height, width)]
    rows, columns = margins
    wider = np.pad(images, ((0, 0), (0, 0), (rows, rows), (columns, columns)), "reflect")
    rotated = _each(wider, lambda image: image.rotate(amount, Image.Resampling.BILINEAR))
    return np.ascontiguousarray(rotated[:, :, rows : rows + height, columns : columns + width])


CORRUPTIONS: Sequence[Corruption] = (
    Corruption("blur", "Blur", "{} px of 32", (0.4, 0.6, 0.8, 1.1, 1.5), _blur),
    Corruption("noise", "Noise", "± {} of 255", (5, 10, 16, 24, 32), _noise),
    Corruption("jpeg", "JPEG", "quality {}", (80, 60, 40, 20, 10), _compress),
    Corruption("brightness", "Low light", "{}% of the light", (80, 65, 50, 35, 20), _darken),
    Corruption("rotation", "Rotation", "{}°", (5, 10, 15, 22, 30), _rotate),
)
