"""The parts of a drawing of a network: boxes, lines and captions with positions, colors given as tokens."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

Point = tuple[float, float]
State = Literal["known", "faulty", "unknown"]
Anchor = Literal["start", "middle", "end"]

TURN = 45
"""Degrees by which labels are turned if there is no space for them side by side."""

_LINE = 4.0
"""More than half the width of any line."""
_ASCENT, _DESCENT = 0.9, 0.25
_WIDE, _NARROW = frozenset("mwMW@%—×→"), frozenset("ijltfrI.,:;'|!()[] ")


def text_width(text: str, size: float) -> float:
    """An upper estimate, in pixels, of the text's width in a common sans-serif font.

    Estimated rather than measured, because fonts need Qt and an SVG may be shown with any font.
    """
    return size * sum(_em(character) for character in text)


def _em(character: str) -> float:
    if character in _NARROW:
        return 0.36
    # From U+2E80 on, most characters are East Asian and full width.
    if ord(character) > 0x2E7F or character in _WIDE:
        return 0.95
    return 0.70 if character.isupper() else 0.62


@dataclass(frozen=True, slots=True)
class Box:
    """A layer as a volume. (x, y) is the upper left corner of its front, `slant` the offset to its back."""

    node_id: str | None
    """None for the network's input."""
    description: str
    """One line on the layer, as a tooltip."""
    token: str
    """The color token."""
    face: str
    """The color token of its image face: a sheet has that of the box under it."""
    state: State
    x: float
    y: float
    width: float
    height: float
    slant: Point

    @property
    def right(self) -> float:
        return self.x + self.width + self.slant[0]

    @property
    def outline(self) -> tuple[Point, ...]:
        """The corners of the silhouette, clockwise from the front's upper left corner."""
        (left, top), (across, up) = (self.x, self.y), self.slant
        right, bottom = left + self.width, top + self.height
        return (
            (left, top),
            (left + across, top - up),
            (right + across, top - up),
            (right + across, bottom - up),
            (right, bottom),
            (left, bottom),
        )

    @property
    def sides(self) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
        """The two other visible faces: the top and, on the right, the image face."""
        first, second, third, fourth, fifth, _ = self.outline
        corner = (fifth[0], first[1])
        return (first, second, third, corner), (corner, third, fourth, fifth)

    def contains(self, point: Point) -> bool:
        # The outline is convex and clockwise: a point is inside if it is to the right of every edge.
        corners = self.outline
        following = (*corners[1:], corners[0])
        return all(
            (end[0] - start[0]) * (point[1] - start[1]) >= (end[1] - start[1]) * (point[0] - start[0])
            for start, end in zip(corners, following, strict=True)
        )

    def translated(self, across: float, down: float) -> Self:
        return dataclasses.replace(self, x=self.x + across, y=self.y + down)


@dataclass(frozen=True, slots=True)
class Caption:
    """A short text. `y` is the baseline. A turned text ends at (x, y) and rises from the lower left."""

    node_id: str | None
    text: str
    x: float
    y: float
    size: float
    token: str
    anchor: Anchor = "middle"
    is_turned: bool = False
    is_strong: bool = False

    @property
    def area(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the bounding box."""
        width = text_width(self.text, self.size)
        if self.is_turned:
            reach = width * math.sin(math.radians(TURN)) + self.size
            return self.x - reach, self.y - self.size, self.x + self.size / 2, self.y + reach
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return left, self.y - _ASCENT * self.size, left + width, self.y + _DESCENT * self.size

    def contains(self, point: Point) -> bool:
        if self.is_turned:
            # In coordinates turned back around its end, the text is a horizontal strip.
            across, down = point[0] - self.x, point[1] - self.y
            cos, sin = math.cos(math.radians(TURN)), math.sin(math.radians(TURN))
            along, beside = across * cos - down * sin, across * sin + down * cos
            return -text_width(self.text, self.size) <= along <= 0 and -self.size <= beside <= self.size / 3
        left, top, right, bottom = self.area
        return left <= point[0] <= right and top <= point[1] <= bottom

    def translated(self, across: float, down: float) -> Self:
        return dataclasses.replace(self, x=self.x + across, y=self.y + down)


@dataclass(frozen=True, slots=True)
class Wire:
    """A line along `points` with rounded corners. It ends in a plus where a shortcut is added."""

    points: tuple[Point, ...]
    end: Literal["plain", "arrow", "plus"] = "plain"

    @property
    def span(self) -> tuple[float, float]:
        """The leftmost and rightmost x, including the mark at its end."""
        across = [x for x, _ in self.points]
        return min(across) - 2 * _LINE, max(across) + 2 * _LINE

    def translated(self, across: float, down: float) -> Self:
        return dataclasses.replace(self, points=tuple((x + across, y + down) for x, y in self.points))


@dataclass(frozen=True)
class Drawing:
    """A finished drawing, in pixels from its upper left corner. Later boxes cover earlier ones."""

    title: str
    width: float
    height: float
    wires: tuple[Wire, ...]
    boxes: tuple[Box, ...]
    captions: tuple[Caption, ...]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids of all layers with a box, in the order of the layer list."""
        return tuple(dict.fromkeys(box.node_id for box in self.boxes if box.node_id is not None))

    def at(self, x: float, y: float) -> Box | Caption | None:
        """The frontmost box or caption at this point."""
        found: Iterable[Box | Caption] = (*reversed(self.boxes), *self.captions)
        return next((part for part in found if part.contains((x, y))), None)

    def boxes_of(self, node_id: str | None) -> tuple[Box, ...]:
        """The boxes of a layer, or of the network's input for None."""
        return tuple(box for box in self.boxes if box.node_id == node_id)

    def clipped(self, left: float, right: float) -> Drawing:
        """The drawing without the parts that lie completely outside the strip from x = left to right."""

        def touches(first: float, last: float) -> bool:
            return last >= left and first <= right

        areas = ((caption, caption.area) for caption in self.captions)
        return dataclasses.replace(
            self,
            wires=tuple(wire for wire in self.wires if touches(*wire.span)),
            boxes=tuple(box for box in self.boxes if touches(box.x - _LINE, box.right + _LINE)),
            captions=tuple(caption for caption, area in areas if touches(area[0], area[2])),
        )
