"""Small gray and color copies of all images, in which duplicates and flaws are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Dataset, Pixels

Floats = npt.NDArray[np.float32]
Grays = npt.NDArray[np.uint8]

SIDE, THUMBNAIL_SIDE = 32, 8
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class SmallImages:
    """What the checks keep of each of N images: about 1.8 kB."""

    gray: Grays
    """uint8 (N, 32, 32)."""
    thumbnails: Floats
    """float32 (N, 192): 8 × 8 in color, the mean removed, of length 1 (or 0 for one color)."""
    sharpness: Floats
    """float32 (N,): the contrast between neighboring pixels, by that of the whole image."""
    border: Floats
    """float32 (N, 3): the mean color of the outermost pixels, 0 to 1."""


def small_images(
    dataset: Dataset, progress: ProgressFunction, cancelled: CancelFunction
) -> dict[str, SmallImages]:
    """The small copies of each split's images. Raises Cancelled."""
    done = 0
    found = {}
    for part, split in dataset.splits.items():
        images, row = _empty(len(split)), 0
        for chunk in split.chunks():
            raise_if_cancelled(cancelled)
            for array, values in zip(vars(images).values(), _small(chunk), strict=True):
                array[row : row + len(chunk)] = values
            row += len(chunk)
            done += len(chunk)
            progress(
                Progress(done, dataset.image_count, f"Looking at {done:,} of {dataset.image_count:,} images")
            )
        found[part] = images
    return found


def _empty(count: int) -> SmallImages:
    """Allocated once: parts that are put together afterwards would take twice the memory."""
    return SmallImages(
        np.empty((count, SIDE, SIDE), np.uint8),
        np.empty((count, THUMBNAIL_SIDE**2 * 3), np.float32),
        np.empty(count, np.float32),
        np.empty((count, 3), np.float32),
    )


def _small(pixels: Pixels) -> Sequence[npt.NDArray[np.generic]]:
    """The arrays of `SmallImages` for uint8 (n, H, W, C)."""
    color: Floats = pixels.astype(np.float32) / np.float32(255)
    if color.shape[3] == 1:
        color = np.repeat(color, 3, axis=3)
    gray: Floats = (color @ _GRAY).astype(np.float32)
    frame = np.concatenate([color[:, 0], color[:, -1], color[:, :, 0], color[:, :, -1]], axis=1)
    thumbnails = resized(color, THUMBNAIL_SIDE).reshape(len(color), -1)
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    thumbnails /= np.maximum(np.linalg.norm(thumbnails, axis=1, keepdims=True), 1e-3)
    small = resized(gray[..., None], SIDE)[..., 0]
    return np.rint(small * 255).astype(np.uint8), thumbnails, _sharpness(gray), frame.mean(axis=1)


def _sharpness(gray: Floats) -> Floats:
    steps = [np.diff(gray, axis=axis).reshape(len(gray), -1) for axis in (1, 2)]
    contrast = gray.reshape(len(gray), -1).std(axis=1)
    step = np.sqrt(sum((each**2).sum(axis=1) for each in steps) / max(sum(s.shape[1] for s in steps), 1))
    return np.asarray(step / np.maximum(contrast, 1e-6), np.float32)


def resized(images: Floats, side: int) -> Floats:
    """float32 (n, H, W, C) at (n, side, side, C), each pixel the mean of what it covers."""
    _, height, width, _ = images.shape
    rows, columns = _shares(height, side), _shares(width, side)
    found: Floats = np.einsum("ah,nhwc,bw->nabc", rows, images, columns, optimize=True)
    return found


def _shares(length: int, side: int) -> Floats:
    """How much of each of `length` pixels is in each of `side` new ones: float32 (side, length)."""
    edges = np.arange(side + 1) * length / side
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.maximum(covered, 0)
    shares: Floats = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
