"""The base class of charts of which one thing at a time is pointed at, by mouse or keys."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import arrow_step, is_plain

Index = TypeVar("Index")


class PointedChart(Canvas, Generic[Index]):
    """What is under the mouse is pointed at; arrow keys move from it, Escape points at nothing.

    Subclasses say what there is, where it is, and how it is drawn.
    """

    chosen = Signal(object)
    """The index of what is pointed at, or None."""

    def __init__(self, name: str, title: str, size: tuple[int, int]) -> None:
        """`size` is the preferred width and height."""
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._size = QSize(*size)
        self._index: Index | None = None
        theme().changed.connect(self.update)

    # For subclasses

    def has_index(self, index: Index) -> bool:
        """Whether what is shown now has something with this index."""
        raise NotImplementedError

    def index_at(self, point: QPointF) -> Index | None:
        """What is under a point of the widget."""
        raise NotImplementedError

    def next_index(self, index: Index | None, down: int, across: int) -> Index | None:
        """Where an arrow key leads, also from nothing; None if there is nothing to point at."""
        raise NotImplementedError

    def describe(self, index: Index) -> str:
        """What a screen reader says of it."""
        raise NotImplementedError

    def show_anew(self) -> None:
        """To be called when other things are shown."""
        if self._index is not None and not self.has_index(self._index):
            self._index = None
        self._announce()

    # What is pointed at

    @property
    def index(self) -> Index | None:
        """What is pointed at."""
        return self._index

    def _choose(self, index: Index | None) -> None:
        if index != self._index:
            self._index = index
            self._announce()
            self.chosen.emit(index)

    def _announce(self) -> None:
        self.setAccessibleDescription("" if self._index is None else self.describe(self._index))
        self.update()

    def sizeHint(self) -> QSize:
        return self._size

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 180)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._choose(self.index_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._choose(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = arrow_step(event)
        if event.key() == Qt.Key.Key_Escape and self._index is not None:
            self._choose(None)
            return
        found = self.next_index(self._index, *step) if step is not None and is_plain(event) else None
        if found is None:
            super().keyPressEvent(event)
        else:
            self._choose(found)
