"""A confusion matrix: a table of cells, or one image that can be zoomed if there are many classes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.gui.dashboard.views.parts.matrix.content import Cell, MatrixContent
from cnnstudio.gui.dashboard.views.parts.matrix.layout import MatrixLayout
from cnnstudio.gui.dashboard.views.parts.matrix.painter import MatrixPainter
from cnnstudio.gui.theme.sizes import NO_LIMIT
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import arrow_step, is_enter, is_plain, zoom_factor
from cnnstudio.gui.widgets.canvas.marks import paint_focus


class Matrix(Canvas):
    """Chooses a cell by mouse or arrow keys. Enter looks at its images, Escape chooses none."""

    chosen = Signal(object)
    """The cell that the user chose, (actual, predicted), or None."""
    entered = Signal()
    """Enter was pressed on the chosen cell."""
    zoom_changed = Signal()
    largest_height_changed = Signal(object)
    """How high the matrix gets at most: more room is of no use to it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("confusionMatrix")
        self.setAccessibleName("Confusion matrix")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._content: MatrixContent | None = None
        self._order: tuple[int, ...] = ()
        self._cells = MatrixLayout()
        self._painter = MatrixPainter(self._cells)
        self.largest_height = NO_LIMIT
        self._drag_from: tuple[QPointF, float, float] | None = None
        self._dragged = False
        theme().changed.connect(self._on_theme_changed)

    # What is shown

    @property
    def content(self) -> MatrixContent | None:
        return self._content

    @property
    def cell(self) -> Cell | None:
        """The chosen cell, (actual, predicted)."""
        return self._painter.cell

    @property
    def zoom(self) -> float:
        """1 if the whole matrix is shown, more if it is zoomed in."""
        return self._cells.zoom

    def show_content(self, content: MatrixContent, order: tuple[int, ...]) -> None:
        """Shows a matrix; `order` has the indexes of all classes, from top to bottom."""
        self._content, self._order = content, order
        if len(order) != self._cells.count:
            self._cells.count = len(order)
            self._cells.reset()
        self._painter.show(content, order)
        if self.cell is not None and max(self.cell) >= len(order):
            self._painter.cell = None
        self._describe()
        self._fit_labels()
        self.updateGeometry()

    def set_as_shares(self, as_shares: bool) -> None:
        """Shows the share of each row in percent, or counts."""
        self._painter.as_shares = as_shares
        self.update()

    def text_in(self, cell: Cell) -> str:
        """What stands in a cell."""
        return self._painter.text(cell)

    def choose(self, cell: Cell | None) -> None:
        """Marks a cell without telling anybody."""
        if cell != self.cell:
            self._painter.cell = cell
            self._describe()
            self.update()

    def _choose(self, cell: Cell | None) -> None:
        self.choose(cell)
        self.chosen.emit(cell)

    def _describe(self) -> None:
        text = "" if self.cell is None or self._content is None else self._content.describe(self.cell)
        self.setAccessibleDescription(screen_reader_text(text))

    # Layout

    def sizeHint(self) -> QSize:
        return QSize(552, self._cells.natural_height)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 140)

    def _fit_labels(self) -> None:
        self._cells.labels = min(self._painter.longest_name(), max(min(self.width() // 5, 120), 60))
        self._cells.has_two_heads = self._painter.wants_two_heads()
        largest = self._cells.largest_height or NO_LIMIT
        if largest != self.largest_height:
            self.largest_height = largest
            self.largest_height_changed.emit(largest)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cells.width, self._cells.height = self.width(), self.height()
        self._fit_labels()
        self._scroll_to(*self._cells.start)

    def cell_at(self, point: QPointF) -> Cell | None:
        """The cell under a point of the widget."""
        found = self._cells.at(point)
        return None if found is None else (self._order[found[0]], self._order[found[1]])

    def center_of(self, cell: Cell) -> QPointF:
        """The middle of a cell, for a click."""
        return self._cells.rect(*self._place(cell)).center()

    def _place(self, cell: Cell) -> tuple[int, int]:
        return self._order.index(cell[0]), self._order.index(cell[1])

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag_from = event.position(), *self._cells.start
            self._dragged = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag_from is None:
            inside = self.cell_at(event.position()) is not None
            self.setCursor(Qt.CursorShape.PointingHandCursor if inside else Qt.CursorShape.ArrowCursor)
            return
        start, left, top = self._drag_from
        moved = event.position() - start
        if self.zoom > 1 and (self._dragged or moved.manhattanLength() > 4):
            self._dragged = True
            across, down = self._cells.pitch()
            self._scroll_to(left - moved.x() / across, top - moved.y() / down)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._drag_from is not None:
            if not self._dragged:
                cell = self.cell_at(event.position())
                self._choose(None if cell == self.cell else cell)
            self._drag_from = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._cells.is_large:
            event.ignore()
            return
        self._zoom_by(zoom_factor(event) or 1.0, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, factor, step = event.key(), zoom_factor(event), arrow_step(event)
        if not self._order:
            super().keyPressEvent(event)
        elif step is not None and is_plain(event):
            self._step(*step)
        elif is_enter(event) and self.cell is not None:
            self.entered.emit()
        elif key == Qt.Key.Key_Escape and self.cell is not None:
            self._choose(None)
        elif (key == Qt.Key.Key_Escape and self.zoom > 1) or (self._cells.is_large and event.text() == "0"):
            self.reset_zoom()
        elif self._cells.is_large and factor is not None:
            self._zoom_by(
                factor, self._cells.area().center() if self.cell is None else self.center_of(self.cell)
            )
        else:
            super().keyPressEvent(event)

    def _step(self, down: int, across: int) -> None:
        last = len(self._order) - 1
        if self.cell is None:
            row, column = self._first_place()
        else:
            row, column = self._place(self.cell)
            row, column = min(max(row + down, 0), last), min(max(column + across, 0), last)
        self._cells.scroll_into_view(row, column)
        self.update()
        self._choose((self._order[row], self._order[column]))

    def _first_place(self) -> tuple[int, int]:
        """Row and column of the most frequent confusion."""
        assert self._content is not None
        mistakes = self._content.mistakes[np.ix_(self._order, self._order)]
        row, column = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
        return int(row), int(column)

    # Zoom

    def _zoom_by(self, factor: float, around: QPointF) -> None:
        self._cells.zoom_by(factor, around)
        self.update()
        self.zoom_changed.emit()

    def _scroll_to(self, left: float, top: float) -> None:
        self._cells.scroll_to(left, top)
        self.update()

    def reset_zoom(self) -> None:
        """Shows the whole matrix."""
        self._cells.reset()
        self.update()
        self.zoom_changed.emit()

    # Events

    def tooltip_at(self, point: QPointF) -> str:
        cell = self.cell_at(point)
        return "" if cell is None or self._content is None else self._content.describe(cell)

    def _on_theme_changed(self, _: object) -> None:
        self._painter.restyle()
        self._fit_labels()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.fillRect(event.rect(), theme().color("panel"))
            self._painter.paint(painter)
            if self.hasFocus() and self.cell is None:
                paint_focus(painter, self._cells.area().adjusted(-2, -2, 2, 2))
        finally:
            painter.end()
