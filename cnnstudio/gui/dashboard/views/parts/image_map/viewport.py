"""Which part of a map is seen, and where a point is on the screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF

MAX_ZOOM = 64.0
_MARGIN = 14.0


class MapViewport:
    """Both axes have the same scale, because distances are what a map shows. y points up."""

    def __init__(self) -> None:
        self.width = self.height = 1.0
        """In pixels."""
        self.zoom = 1.0
        """1 if the whole map is seen."""
        self._center = np.zeros(2)
        self._extent = np.full(2, 1e-6)
        """How far the map reaches from 0 in x and y; it grows only, so that epochs can be compared."""

    def forget(self) -> None:
        """Another run: its map is as large as its own points need."""
        self._extent = np.full(2, 1e-6)
        self.reset()

    def include(self, points: npt.NDArray[np.float32]) -> None:
        """Makes the map large enough for these points, (N, 2)."""
        if len(points):
            self._extent = np.maximum(self._extent, np.abs(points).max(0))
            self._stay_inside()

    @property
    def scale(self) -> float:
        """Pixels for a unit of the map."""
        room = np.array([self.width - 2 * _MARGIN, self.height - 2 * _MARGIN]).clip(1)
        return self.zoom * float((room / (2 * self._extent)).min())

    def to_pixels(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Where points are on the screen, float64 (N, 2)."""
        middle = np.array([self.width / 2, self.height / 2])
        return middle + (points.astype(np.float64) - self._center) * (self.scale, -self.scale)

    def zoom_by(self, factor: float, around: QPointF) -> None:
        """Enlarges the map; what is at a point of the screen stays there."""
        before, scale = np.array([around.x() - self.width / 2, self.height / 2 - around.y()]), self.scale
        self.zoom = min(max(self.zoom * factor, 1.0), MAX_ZOOM)
        self._center = self._center + before / scale - before / self.scale
        self._stay_inside()

    def move(self, across: float, down: float) -> None:
        """Moves the map by so many pixels."""
        self._center = self._center + np.array([-across, down]) / self.scale
        self._stay_inside()

    def show_point(self, point: npt.NDArray[np.float32]) -> bool:
        """Moves the map so that a point can be seen; returns whether that was necessary."""
        x, y = self.to_pixels(point[None])[0]
        across = min(max(x, 2 * _MARGIN), self.width - 2 * _MARGIN) - x
        down = min(max(y, 2 * _MARGIN), self.height - 2 * _MARGIN) - y
        if self.zoom > 1 and (across or down):
            self.move(across, down)
            return True
        return False

    def reset(self) -> None:
        """Shows the whole map."""
        self.zoom = 1.0
        self._center = np.zeros(2)

    def _stay_inside(self) -> None:
        limit = self._extent * (1 - 1 / self.zoom)
        self._center = self._center.clip(-limit, limit)
