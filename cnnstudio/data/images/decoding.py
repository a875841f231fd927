"""Image files of one data set: the size that suits them all, and their pixels into a draft."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.core.progress import CancelFunction, check
from cnnstudio.data.dataset import DataError, Labels, Pixels
from cnnstudio.data.images.image_files import image_size, read_pixels
from cnnstudio.data.images.parallel import in_order
from cnnstudio.data.storage.writers import Draft

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_LONGEST_SIDE = 224
_MOST_BYTES = 32_000_000_000
_SIZES_LOOKED_AT = 1_000
_CHUNK = 16


def choose_size(paths: Sequence[str], cancelled: CancelFunction) -> tuple[tuple[int, int], bool]:
    """((width, height) for all images, whether all have it already).

    The most common size where at least half of the images have it, else a square of the median shorter
    side; never more than 224 a side or 32 GB in all. Of large sets an even sample is looked at.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for path in paths[:: max(1, len(paths) // _SIZES_LOOKED_AT)]:
        check(cancelled)
        try:
            sizes[image_size(Path(path))] += 1
        except DataError:
            continue  # counted and listed when all are read
    if not sizes:
        return (1, 1), True
    (size, count) = sizes.most_common(1)[0]
    if count * 2 < sizes.total():
        sides = sorted(min(each) for each in sizes.elements())
        size = (sides[len(sides) // 2],) * 2
    scale = min(1, _LONGEST_SIDE / max(size), (_MOST_BYTES / (len(paths) * 3 * size[0] * size[1])) ** 0.5)
    chosen = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    return chosen, set(sizes) == {chosen}


def decode(
    paths: Sequence[str],
    labels: Labels,
    shape: tuple[int, int, int],
    draft: Draft,
    tell: Callable[[int], None],
    cancelled: CancelFunction,
) -> Mask:
    """Adds all images, at `shape` (C, H, W), that can be read; gives which these are.

    `tell` hears how many more were looked at. Raises Cancelled, and DataError where nothing can be written.
    """
    channels, height, width = shape
    readable = np.zeros(len(paths), bool)

    def read(start: int) -> Pixels:
        chunk = paths[start : start + _CHUNK]
        pixels = np.empty((len(chunk), height, width, channels), np.uint8)
        for row, path in enumerate(chunk):
            check(cancelled)
            try:
                pixels[row] = read_pixels(Path(path), shape).transpose(1, 2, 0)
            except DataError:
                continue  # stays marked as unreadable
            readable[start + row] = True
        return pixels

    starts = range(0, len(paths), _CHUNK)
    with closing(in_order(read, starts, cancelled)) as chunks:
        for start, pixels in zip(starts, chunks, strict=True):
            there = readable[start : start + _CHUNK]
            draft.add(pixels[there], labels[start : start + _CHUNK][there])
            tell(len(pixels))
    return readable
