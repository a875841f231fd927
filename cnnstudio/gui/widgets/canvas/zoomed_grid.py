"""Tiles in rows, of which one may be chosen, zoomed and scrolled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy

from cnnstudio.gui.widgets.canvas.canvas import ScrollingCanvas
from cnnstudio.gui.widgets.canvas.keys import zoom_factor


class ZoomedGrid(ScrollingCanvas):
    """Ctrl + wheel, + and − zoom, 0 resets the zoom. Subclasses draw the tiles and say where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._order: npt.NDArray[np.intp] = np.empty(0, np.intp)
        """The index of the tile at each place."""
        self._index: int | None = None
        """The chosen tile."""
        self._zoom = 1.0

    @property
    def order(self) -> tuple[int, ...]:
        """The index of the tile at each place."""
        return tuple(int(index) for index in self._order)

    @property
    def index(self) -> int | None:
        """The chosen tile."""
        return self._index

    @property
    def zoom(self) -> float:
        """1 while the tiles are as large as they fit into the view."""
        return self._zoom

    def reset_zoom(self) -> None:
        """Makes the tiles as large as they fit into the view."""
        self._zoom_to(1.0)

    # For subclasses

    def _arrange(self) -> None:
        """Fits the tiles into the view."""
        raise NotImplementedError

    def _zoom_to(self, zoom: float) -> None:
        """Zooms, within limits, and arranges the tiles."""
        raise NotImplementedError

    def _choose(self, index: int | None) -> None:
        """The user has chosen a tile, or none."""
        raise NotImplementedError

    def _at(self, point: QPointF) -> int | None:
        """The index of the tile under a point of the viewport."""
        raise NotImplementedError

    def describe(self, index: int) -> str:
        """What a tile is, in words."""
        raise NotImplementedError

    def _go(self, step: int) -> None:
        """Chooses the tile so many places further, at first the first one."""
        place = 0 if self.index is None else self.order.index(self.index) + step
        if 0 <= place < len(self._order):
            self._choose(int(self._order[place]))

    def _zoom_by_key(self, event: QKeyEvent) -> bool:
        """Whether the key was one for zooming."""
        factor = zoom_factor(event)
        if event.text() == "0":
            self.reset_zoom()
        elif factor is not None:
            self._zoom_to(self._zoom * factor)
        else:
            return False
        return True

    # Events

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_to(self._zoom * (zoom_factor(event) or 1.0))
            event.accept()
        else:
            super().wheelEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def tooltip_at(self, point: QPointF) -> str:
        index = self._at(point)
        return "" if index is None else self.describe(index)
