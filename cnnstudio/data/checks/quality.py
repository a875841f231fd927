"""Images that are too dark, too bright, of one color, blurry, or of another size than the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnstudio.data.checks.thumbnails import SmallImages

_DARK, _BRIGHT = 0.32, 0.95
"""The brightest percent of the pixels is darker; all but the darkest 5 percent are brighter."""
_EMPTY = 1 / 255
"""The standard deviation of an image of one color, up to the noise of compression."""
_BLURRY = 0.35
"""Sharpness, by the median of the set."""
_ODD_ASPECT, _ODD_AREA = 0.35, 16

Size = tuple[int, int]


def flaws(images: SmallImages) -> Iterator[tuple[int, str]]:
    """(row, what is wrong) for each flaw of the pixels."""
    pixels = images.gray.reshape(len(images.gray), -1).astype(np.float32) / 255
    if not len(pixels):
        return
    is_empty = pixels.std(axis=1) < _EMPTY
    usual = float(np.median(images.sharpness[~is_empty])) if not is_empty.all() else 0.0
    found = {
        "empty": is_empty,
        "dark": ~is_empty & (np.percentile(pixels, 99, axis=1) < _DARK),
        "bright": ~is_empty & (np.percentile(pixels, 5, axis=1) > _BRIGHT),
        "blurry": ~is_empty & (images.sharpness < _BLURRY * usual),
    }
    for issue, rows in found.items():
        for row in np.flatnonzero(rows):
            yield int(row), issue


def odd_sizes(sizes: Sequence[Size | None]) -> Iterator[tuple[int, str]]:
    """(index, what is odd) for each image whose (width, height) is far from that of the others."""
    known = np.array([size for size in sizes if size is not None], float).reshape(-1, 2)
    if not len(known):
        return
    aspect, area = np.median(known[:, 0] / known[:, 1]), np.median(known[:, 0] * known[:, 1])
    for index, size in enumerate(sizes):
        if size is None:
            continue
        ratio = size[0] / size[1] / aspect
        scale = size[0] * size[1] / area
        if min(ratio, 1 / ratio) < _ODD_ASPECT:
            yield index, f"odd shape ({size[0]} × {size[1]})"
        elif scale < 1 / _ODD_AREA or scale > _ODD_AREA:
            yield index, f"odd size ({size[0]} × {size[1]})"
