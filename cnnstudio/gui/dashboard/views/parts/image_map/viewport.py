"""Which part of a map is seen, and where a point is on the screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF

MAX_ZOOM = 64.0
_MARGIN = 14.0
_LARGER = 1.15
"""A map is turned if it becomes larger by so much: not back and forth for nothing."""
_LEAST = 1e-6

Points = npt.NDArray[np.float32]
Pair = npt.NDArray[np.float64]
"""float64 (…, 2)."""


class MapViewport:
    """Both axes have the same scale, because distances are what a map shows. y points up.

    What is wide is turned by a quarter where there is more height than width: directions mean nothing.
    """

    def __init__(self) -> None:
        self.zoom = 1.0
        """1 if the whole map is seen."""
        self._size = np.ones(2)
        self._is_turned = False
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)
        """How far the map reaches; it grows only, so that epochs can be compared."""
        self._center = np.zeros(2)
        """What is in the middle of the screen, turned as the map is."""

    def forget(self) -> None:
        """Another run: its map is as large as its own points need."""
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)
        self._is_turned = False
        self.reset()

    def resize(self, width: float, height: float) -> None:
        """The size of the widget in pixels."""
        self._size = np.array([width, height], np.float64)
        self._turn_if_larger()

    def include(self, points: Points) -> None:
        """Makes the map large enough for these points, (N, 2)."""
        if not len(points):
            return
        is_whole = self.zoom == 1
        low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._turn_if_larger()
        if is_whole:
            self.reset()
        self._stay_inside()

    # Turned or not

    def _turn_if_larger(self) -> None:
        is_turned = self._is_turned
        if self._scale(turned=not is_turned) > _LARGER * self._scale(turned=is_turned):
            self._center = _turned(self._center) if not is_turned else _turned_back(self._center)
            self._is_turned = not is_turned
            self._stay_inside()

    def _oriented(self, points: Points | Pair) -> Pair:
        exact = points.astype(np.float64)
        return _turned(exact) if self._is_turned else exact

    def _half(self, *, turned: bool) -> Pair:
        """Half of the width and of the height of the map."""
        if not np.isfinite(self._low).all():
            return np.full(2, _LEAST)
        half: Pair = np.maximum((self._high - self._low) / 2, _LEAST)
        return half[::-1] if turned else half

    @property
    def _middle(self) -> Pair:
        """The middle of the map."""
        if not np.isfinite(self._low).all():
            return np.zeros(2)
        return self._oriented((self._low + self._high) / 2)

    def _scale(self, *, turned: bool) -> float:
        room = (self._size - 2 * _MARGIN).clip(1)
        return self.zoom * float((room / (2 * self._half(turned=turned))).min())

    # Places

    @property
    def scale(self) -> float:
        """Pixels for a unit of the map."""
        return self._scale(turned=self._is_turned)

    def to_pixels(self, points: Points) -> npt.NDArray[np.float64]:
        """Where points are on the screen, float64 (N, 2)."""
        return self._size / 2 + (self._oriented(points) - self._center) * (self.scale, -self.scale)

    def zoom_by(self, factor: float, around: QPointF) -> None:
        """Enlarges the map; what is at a point of the screen stays there."""
        before = np.array([around.x() - self._size[0] / 2, self._size[1] / 2 - around.y()])
        scale = self.scale
        self.zoom = min(max(self.zoom * factor, 1.0), MAX_ZOOM)
        self._center = self._center + before / scale - before / self.scale
        self._stay_inside()

    def move(self, across: float, down: float) -> None:
        """Moves the map by so many pixels."""
        self._center = self._center + np.array([-across, down]) / self.scale
        self._stay_inside()

    def show_point(self, point: npt.NDArray[np.float32]) -> bool:
        """Moves the map so that a point can be seen; returns whether that was necessary."""
        place = self.to_pixels(point[None])[0]
        across, down = place.clip(2 * _MARGIN, self._size - 2 * _MARGIN) - place
        if self.zoom > 1 and (across or down):
            self.move(across, down)
            return True
        return False

    def reset(self) -> None:
        """Shows the whole map."""
        self.zoom = 1.0
        self._center = self._middle

    def _stay_inside(self) -> None:
        limit = self._half(turned=self._is_turned) * (1 - 1 / self.zoom)
        self._center = self._center.clip(self._middle - limit, self._middle + limit)


def _turned(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By a quarter, float64 (…, 2)."""
    return np.stack([-points[..., 1], points[..., 0]], axis=-1)


def _turned_back(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([points[..., 1], -points[..., 0]], axis=-1)
