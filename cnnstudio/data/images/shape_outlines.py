"""Ten shapes as signed distance functions, evaluated for thousands of images at once in numpy.

A function takes float32 coordinates of any shape, x to the right and y up, in which the shape fills about the
unit circle, and returns the distance to its edge in the same units, negative inside. The formulas are
combinations of half planes, boxes and discs, after the collection of Inigo Quilez. Outside a corner formed by
two of them the value is a lower bound of the distance, which is close enough for antialiasing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from cnnstudio.data.images.rounded_functions import Floats, arctan2, cosine, hypot, sine

Outline = Callable[[Floats, Floats], Floats]


def _disc(x: Floats, y: Floats, radius: float) -> Floats:
    return hypot(x, y) - radius


def _box(x: Floats, y: Floats, half_width: float, half_height: float) -> Floats:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _arrow(x: Floats, y: Floats) -> Floats:
    shaft = _box(x + 0.4, y, 0.6, 0.2)
    head: Floats = np.maximum(0.1 - x, 0.62 * (x - 1) + 0.78 * np.abs(y))
    return np.minimum(shaft, head)


def _bar(x: Floats, y: Floats) -> Floats:
    return _box(x, y, 1, 0.3)


def _circle(x: Floats, y: Floats) -> Floats:
    return _disc(x, y, 0.85)


def _crescent(x: Floats, y: Floats) -> Floats:
    return np.maximum(_disc(x, y, 0.95), -_disc(x - 0.5, y, 0.78))


def _cross(x: Floats, y: Floats) -> Floats:
    return np.minimum(_box(x, y, 0.95, 0.27), _box(y, x, 0.95, 0.27))


def _heart(x: Floats, y: Floats) -> Floats:
    # A square standing on one corner, with a disc on each of its two upper edges.
    side = 0.53
    right = 0.7071 * (y + x) + 0.2
    left = 0.7071 * (y - x) + 0.2
    lobes = np.minimum(_disc(right - side, left, side), _disc(right, left - side, side))
    return np.minimum(_box(right, left, side, side), lobes)


def _ring(x: Floats, y: Floats) -> Floats:
    return np.abs(_disc(x, y, 0.73)) - 0.2


def _square(x: Floats, y: Floats) -> Floats:
    return _box(x, y, 0.72, 0.72)


def _star(x: Floats, y: Floats) -> Floats:
    # By symmetry, the angle is folded into half of one of the five points, where the edge is a straight line.
    fifth = 2 * math.pi / 5
    angle = arctan2(x, y)
    angle = np.abs(angle - fifth * np.round(angle / fifth))
    radius = hypot(x, y)
    tip, notch_x, notch_y = 1.05, 0.45 * math.cos(fifth / 2), 0.45 * math.sin(fifth / 2)
    length = math.hypot(notch_y, tip - notch_x)
    along, across = radius * cosine(angle) - tip, radius * sine(angle)
    return along * (notch_y / length) + across * ((tip - notch_x) / length)


def _triangle(x: Floats, y: Floats) -> Floats:
    sides = 0.866 * np.abs(x) + 0.5 * y
    return np.maximum(sides, -y) - 0.5


OUTLINES: Mapping[str, Outline] = MappingProxyType(
    {
        "arrow": _arrow,
        "bar": _bar,
        "circle": _circle,
        "crescent": _crescent,
        "cross": _cross,
        "heart": _heart,
        "ring": _ring,
        "square": _square,
        "star": _star,
        "triangle": _triangle,
    }
)
