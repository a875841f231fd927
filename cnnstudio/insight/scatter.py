"""Many points painted at once, as pixels of an array. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint32]
"""uint32 (height, width), 0xFFRRGGBB."""

SHAPES = ("circle", "square", "diamond", "triangle")


def paint_points(
    image: Image,
    places: npt.NDArray[np.float64],
    groups: npt.NDArray[np.intp],
    colors: Sequence[tuple[int, str]],
    radius: float,
    ground: int,
) -> None:
    """Paints points at `places`, float64 (N, 2) in pixels, in order; outside of the image they are cut off.

    `groups` (N,) index into `colors`, each a color (0xRRGGBB) and one of SHAPES. The edges fade into
    `ground`, the color below, so that points which touch can be told apart.
    """
    height, width = image.shape
    side = int(np.ceil(radius)) + 1
    spots = np.floor(places).astype(np.int64)
    inside = (
        (spots[:, 0] >= -side)
        & (spots[:, 0] < width + side)
        & (spots[:, 1] >= -side)
        & (spots[:, 1] < height + side)
    )
    spots, chosen = spots[inside], groups[inside]
    # A margin takes what is cut off.
    margin = 2 * side
    stride = width + 2 * margin
    padded = np.full((height + 2 * margin, stride), ground, np.uint32)
    padded[margin : margin + height, margin : margin + width] = image
    flat = padded.reshape(-1)
    centers = (spots[:, 1] + margin) * stride + spots[:, 0] + margin
    stamps = [_stamp(color, shape, radius, ground) for color, shape in colors]
    # Runs of points of the same shape: these have the same pixels, and one assignment paints them all.
    shapes = np.array([SHAPES.index(shape) for _, shape in colors], np.intp)
    for number in np.unique(shapes[chosen]):
        rows = np.flatnonzero(shapes[chosen] == number)
        offsets_y, offsets_x, _ = _coverage(SHAPES[number], radius)
        table = np.zeros((len(colors), len(offsets_x)), np.uint32)
        for group in np.flatnonzero(shapes == number):
            table[group] = stamps[group]
        pixels = centers[rows][:, None] + (offsets_y * stride + offsets_x)[None]
        flat[pixels] = table[chosen[rows]]
    image[:] = padded[margin : margin + height, margin : margin + width]


@lru_cache(64)
def _coverage(
    shape: str, radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(y, x) of the pixels around a point and how much of each is covered, 0 to 1."""
    side = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-side : side + 1, -side : side + 1].astype(np.float64)
    distance = {
        "circle": np.hypot(x, y),
        "square": np.maximum(abs(x), abs(y)) / 0.88,
        "diamond": (abs(x) + abs(y)) / 1.25,
        "triangle": np.maximum(abs(x) * 1.1 - y * 0.55 + 0.25 * radius, y * 1.3),
    }[shape]
    covered = np.clip(radius + 0.5 - distance, 0, 1)
    rows, columns = np.nonzero(covered > 0)
    return rows - side, columns - side, covered[rows, columns]


@lru_cache(4096)
def _stamp(color: int, shape: str, radius: float, ground: int) -> npt.NDArray[np.uint32]:
    """The colors of the pixels of a point."""
    covered = _coverage(shape, radius)[2]
    stamp: npt.NDArray[np.uint32] = np.full(len(covered), 0xFF, np.uint32)
    for shift in (16, 8, 0):
        front, back = color >> shift & 255, ground >> shift & 255
        mixed = np.rint(back + covered * (front - back)).astype(np.uint32)
        stamp = (stamp << np.uint32(8) | mixed).astype(np.uint32)
    return stamp
