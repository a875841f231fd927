"""What is being drawn on a map with the mouse: a lasso, a rectangle, or the map is moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PySide6.QtCore import QPointF, Qt

from cnnstudio.gui.dashboard.views.parts.image_map.picking import Places

Tool = Literal["lasso", "rectangle", "move"]
Mode = Literal["replace", "add", "remove"]

_CLICK = 4.0
"""A shorter way is a click."""
_SPACING = 3.0
"""Between two points of a lasso."""


@dataclass
class Gesture:
    """From pressing a button to releasing it. All positions in pixels."""

    tool: Tool
    start: QPointF
    last: QPointF = field(init=False)
    is_drag: bool = False
    _path: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last = QPointF(self.start)
        self._path = [(self.start.x(), self.start.y())]

    def move_to(self, point: QPointF) -> QPointF:
        """Continues to a point; returns how far it went."""
        moved = point - self.last
        self.is_drag = self.is_drag or (point - self.start).manhattanLength() > _CLICK
        if self.tool == "lasso" and moved.manhattanLength() < _SPACING:
            return QPointF()
        self.last = QPointF(point)
        if self.tool == "lasso":
            self._path.append((point.x(), point.y()))
        return moved

    @property
    def path(self) -> Places:
        """The outline of what was drawn, float64 (M, 2); empty while nothing was."""
        if not self.is_drag or self.tool == "move":
            return np.zeros((0, 2))
        if self.tool == "rectangle":
            left, top, right, bottom = self.start.x(), self.start.y(), self.last.x(), self.last.y()
            return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
        return np.array(self._path, np.float64)


def mode_of(modifiers: Qt.KeyboardModifier) -> Mode:
    """Shift adds to what is chosen, Ctrl or Alt removes from it."""
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    if modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
        return "remove"
    return "replace"
