"""A confusion matrix: a table of cells, or one image that can be zoomed if there are many classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import STRONGEST, ramp, tint
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

Cell = tuple[int, int]
"""(actual, predicted) classes."""

MAX_LABELED = 16
"""With more classes, names and numbers appear only after zooming in."""
_HEAD = 22
_GAP = 2
_SCORE_WIDTH = 56
_SMALLEST_NUMBERED = (26, 16)
"""Cells of this size in pixels have numbers."""
_CELL_HEIGHT, _LARGEST_CELL_WIDTH = 28, 76
_ZOOM_STEP = 1.25
_MAX_NAME = 60
_MEASURED = 200
"""Of so many names the longest decides how wide the labels are."""
_STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


@dataclass(frozen=True, eq=False)
class MatrixContent:
    """What a matrix shows. Raises ValueError for arrays that do not fit each other."""

    counts: np.ndarray
    """int64 (K, K), rows are actual classes, columns predicted ones."""
    names: tuple[str, ...]
    recall: np.ndarray
    """float64 (K,), 0 to 1; NaN for a class without images."""
    precision: np.ndarray
    """float64 (K,), 0 to 1; NaN for a class that is never predicted."""

    def __post_init__(self) -> None:
        size = len(self.names)
        if self.counts.shape != (size, size) or {self.recall.shape, self.precision.shape} != {(size,)}:
            raise ValueError("the confusion matrix does not fit the classes of the run")

    def share(self, cell: Cell) -> float:
        """The share of the images of the actual class that are in the cell; 0 for a class without images."""
        total = int(self.counts[cell[0]].sum())
        return int(self.counts[cell]) / total if total else 0.0


class Matrix(QWidget):
    """Chooses a cell by mouse or arrow keys. Enter looks at its images, Escape chooses none."""

    chosen = Signal(object)
    """The cell that the user chose, (actual, predicted), or None."""
    entered = Signal()
    """Enter was pressed on the chosen cell."""
    zoom_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("confusionMatrix")
        self.setAccessibleName("Confusion matrix")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._content: MatrixContent | None = None
        self._as_shares = False
        self._order: tuple[int, ...] = ()
        self._names: tuple[str, ...] = ()
        """The classes' names as they are shown."""
        self._longest_name = 0
        self._cell: Cell | None = None
        self._zoom = 1.0
        self._left = self._top = 0.0
        """The matrix coordinates, in cells, of the top left corner while it is zoomed in."""
        self._drag_from: tuple[QPointF, float, float] | None = None
        self._dragged = False
        self._image: QImage | None = None
        self._pixels = np.empty((0, 0), np.uint32)
        self._fonts: dict[str, TextMetrics] = {}
        theme().changed.connect(self._on_theme_changed)
        self._restyle()

    # What is shown

    @property
    def content(self) -> MatrixContent | None:
        return self._content

    @property
    def cell(self) -> Cell | None:
        """The chosen cell, (actual, predicted)."""
        return self._cell

    @property
    def zoom(self) -> float:
        """1 if the whole matrix is shown, more if it is zoomed in."""
        return self._zoom

    def show_content(self, content: MatrixContent, order: tuple[int, ...]) -> None:
        """Shows a matrix; `order` has the indexes of all classes, from top to bottom."""
        if self._content is None or len(content.names) != len(self._content.names):
            self._zoom, self._left, self._top = 1.0, 0.0, 0.0
        self._content, self._order = content, order
        self._names = tuple(plain_line(name, _MAX_NAME) for name in content.names)
        self._measure_names()
        self._image = None
        self.updateGeometry()
        self.update()

    def set_as_shares(self, as_shares: bool) -> None:
        """Shows the share of each row in percent, or counts."""
        if as_shares != self._as_shares:
            self._as_shares = as_shares
            self.update()

    def choose(self, cell: Cell | None) -> None:
        """Marks a cell without telling anybody."""
        if cell != self._cell:
            self._cell = cell
            self._describe()
            self.update()

    def _choose(self, cell: Cell | None) -> None:
        self.choose(cell)
        self.chosen.emit(cell)

    def _describe(self) -> None:
        content = self._content
        text = "" if self._cell is None or content is None else describe_cell(content, self._cell)
        self.setAccessibleDescription(text)

    # Layout

    def sizeHint(self) -> QSize:
        return QSize(552, self.natural_height())

    def natural_height(self) -> int:
        """The height at which every cell has its full height; of a large matrix, a square one."""
        count = len(self._order)
        if not count or count > MAX_LABELED:
            return 340
        return _HEAD + count * (_CELL_HEIGHT + _GAP) + _HEAD

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 140)

    @property
    def _labels(self) -> int:
        """The width of the row labels."""
        return min(self._longest_name, max(min(self.width() // 5, 120), 60))

    def _measure_names(self) -> None:
        metrics = self._fonts["help"]
        longest = max((metrics.width(name) for name in self._names[:_MEASURED]), default=0)
        self._longest_name = max(longest + 6, metrics.width("precision"))

    def _area(self) -> QRectF:
        """The area of the cells."""
        left, count = self._labels + 8, max(len(self._order), 1)
        width = max(self.width() - left - _SCORE_WIDTH, 10)
        height = max(self.height() - 2 * _HEAD, 10)
        if count <= MAX_LABELED:
            width = min(width, count * _LARGEST_CELL_WIDTH)
            height = min(height, count * (_CELL_HEIGHT + _GAP))
        else:
            width = height = min(width, height)
        return QRectF(left, _HEAD, width, height)

    def _pitch(self) -> tuple[float, float]:
        """The distance from one cell to the next, across and down."""
        area, count = self._area(), max(len(self._order), 1)
        return area.width() / count * self._zoom, area.height() / count * self._zoom

    def _rect(self, row: int, column: int) -> QRectF:
        area, (across, down) = self._area(), self._pitch()
        gap = min(_GAP, across / 4)
        left = area.left() + (column - self._left) * across
        top = area.top() + (row - self._top) * down
        return QRectF(left, top, across - gap, down - gap)

    def cell_at(self, point: QPointF) -> Cell | None:
        """The cell under a point of the widget."""
        area, (across, down) = self._area(), self._pitch()
        if not area.contains(point) or not self._order:
            return None
        row = int((point.y() - area.top()) / down + self._top)
        column = int((point.x() - area.left()) / across + self._left)
        if max(row, column) >= len(self._order):
            return None
        return self._order[row], self._order[column]

    def center_of(self, cell: Cell) -> QPointF:
        """The middle of a cell, for a click."""
        row, column = (self._order.index(each) for each in cell)
        return self._rect(row, column).center()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag_from = event.position(), self._left, self._top
            self._dragged = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag_from is None:
            inside = self.cell_at(event.position()) is not None
            self.setCursor(Qt.CursorShape.PointingHandCursor if inside else Qt.CursorShape.ArrowCursor)
            return
        start, left, top = self._drag_from
        moved = event.position() - start
        if self._zoom > 1 and (self._dragged or moved.manhattanLength() > 4):
            self._dragged = True
            across, down = self._pitch()
            self._scroll_to(left - moved.x() / across, top - moved.y() / down)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._drag_from is not None:
            if not self._dragged:
                cell = self.cell_at(event.position())
                self._choose(None if cell == self._cell else cell)
            self._drag_from = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if len(self._order) <= MAX_LABELED:
            event.ignore()
            return
        self._zoom_by(_ZOOM_STEP ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if not self._order:
            super().keyPressEvent(event)
        elif key in _STEPS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self._step(*_STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cell is not None:
            self.entered.emit()
        elif key == Qt.Key.Key_Escape and (self._cell is not None or self._zoom > 1):
            if self._cell is not None:
                self._choose(None)
            else:
                self.reset_zoom()
        elif event.text() in ("+", "-", "0") and len(self._order) > MAX_LABELED:
            self._on_zoom_key(event.text())
        else:
            super().keyPressEvent(event)

    def _on_zoom_key(self, key: str) -> None:
        if key == "0":
            self.reset_zoom()
        else:
            middle = self._area().center() if self._cell is None else self.center_of(self._cell)
            self._zoom_by(_ZOOM_STEP if key == "+" else 1 / _ZOOM_STEP, middle)

    def _step(self, down: int, across: int) -> None:
        last = len(self._order) - 1
        if self._cell is None:
            row, column = self._first_cell()
        else:
            row, column = (self._order.index(each) for each in self._cell)
            row, column = min(max(row + down, 0), last), min(max(column + across, 0), last)
        self._scroll_into_view(row, column)
        self._choose((self._order[row], self._order[column]))

    def _first_cell(self) -> tuple[int, int]:
        """Row and column of the most frequent confusion."""
        assert self._content is not None
        counts = self._content.counts[np.ix_(self._order, self._order)].copy()
        np.fill_diagonal(counts, 0)
        row, column = np.unravel_index(int(counts.argmax()), counts.shape)
        return int(row), int(column)

    def _zoom_by(self, factor: float, around: QPointF) -> None:
        """Zooms so that what is under the point stays there."""
        area, (across, down) = self._area(), self._pitch()
        x = (around.x() - area.left()) / across + self._left
        y = (around.y() - area.top()) / down + self._top
        most = max(len(self._order) * _CELL_HEIGHT / max(area.height(), 1.0), 1.0)
        self._zoom = min(max(self._zoom * factor, 1.0), most)
        across, down = self._pitch()
        self._scroll_to(x - (around.x() - area.left()) / across, y - (around.y() - area.top()) / down)
        self.zoom_changed.emit()

    def _scroll_to(self, left: float, top: float) -> None:
        hidden = len(self._order) * (1 - 1 / self._zoom)
        self._left, self._top = min(max(left, 0.0), hidden), min(max(top, 0.0), hidden)
        self.update()

    def _scroll_into_view(self, row: int, column: int) -> None:
        shown = len(self._order) / self._zoom
        left = min(max(self._left, column + 1 - shown), float(column))
        self._scroll_to(left, min(max(self._top, row + 1 - shown), float(row)))

    def reset_zoom(self) -> None:
        """Shows the whole matrix."""
        self._zoom = 1.0
        self._scroll_to(0.0, 0.0)
        self.zoom_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._scroll_to(self._left, self._top)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self.cell_at(QPointF(event.pos()))
            if cell is None or self._content is None:
                QToolTip.hideText()
            else:
                text = plain_tooltip(describe_cell(self._content, cell))
                QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    # Drawing

    def _restyle(self) -> None:
        style = theme()
        bold = QFont(style.font("help"))
        bold.setWeight(QFont.Weight.Bold)
        mono_bold = QFont(style.monospace())
        mono_bold.setWeight(QFont.Weight.Bold)
        self._fonts = {
            "help": TextMetrics(style.font("help")),
            "bold": TextMetrics(bold),
            "mono": TextMetrics(style.monospace()),
            "mono_bold": TextMetrics(mono_bold),
        }

    def _on_theme_changed(self, _: object) -> None:
        self._restyle()
        self._measure_names()
        self._image = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.fillRect(event.rect(), theme().color("panel"))
            if self._content is not None and self._order:
                self._paint(painter, self._content)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, content: MatrixContent) -> None:
        across, down = self._pitch()
        rows, columns = (
            self._visible(down, self._area().height(), self._top),
            self._visible(across, self._area().width(), self._left),
        )
        painter.save()
        painter.setClipRect(self._area().adjusted(-3, -3, 3, 3))
        if across < _SMALLEST_NUMBERED[0] or down < _SMALLEST_NUMBERED[1]:
            self._paint_image(painter, content)
        else:
            self._paint_cells(painter, content, rows, columns)
        self._paint_choice(painter)
        painter.restore()
        if down >= 14:
            self._paint_rows(painter, content, rows)
        if across >= _SMALLEST_NUMBERED[0]:
            self._paint_columns(painter, content, columns)
        else:
            self._paint_axes(painter)
        if self.hasFocus() and self._cell is None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRoundedRect(self._area().adjusted(-2, -2, 2, 2), 4, 4)

    def _visible(self, pitch: float, length: float, start: float) -> range:
        return range(int(start), min(math.ceil(start + length / pitch), len(self._order)))

    def _largest(self, content: MatrixContent) -> tuple[float, float]:
        """The largest values on the diagonal and off it, at least 1, which have the strongest tints."""
        off = content.counts.copy()
        np.fill_diagonal(off, 0)
        return max(float(content.counts.diagonal().max()), 1.0), max(float(off.max()), 1.0)

    def _paint_cells(self, painter: QPainter, content: MatrixContent, rows: range, columns: range) -> None:
        style = theme()
        diagonal, off_diagonal = self._largest(content)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row in rows:
            for column in columns:
                cell = self._order[row], self._order[column]
                count, rect = int(content.counts[cell]), self._rect(row, column)
                is_right = row == column
                share = count / (diagonal if is_right else off_diagonal)
                if count:
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(tint("good" if is_right else "validation", share))
                    painter.drawRoundedRect(rect, 3, 3)
                text = self._text(content, cell)
                font = self._fonts["mono_bold" if cell == self._cell else "mono"]
                painter.setFont(font.font)
                painter.setPen(style.color("text" if count else "secondary"))
                x = rect.center().x() - font.width(text) / 2
                painter.drawText(QPointF(x, font.baseline(rect.center().y())), text)

    def _text(self, content: MatrixContent, cell: Cell) -> str:
        count = int(content.counts[cell])
        if not count:
            return "·"
        if self._as_shares:
            share = 100 * content.share(cell)
            return f"{share:.0f}" if share >= 0.5 else "<1"
        return str(count) if count < 10_000 else f"{count / 1000:.0f}k"

    def _paint_image(self, painter: QPainter, content: MatrixContent) -> None:
        """All cells as one image. Of cells smaller than a pixel the strongest is shown."""
        across, down = self._pitch()
        block = max(math.ceil(1 / max(across, 1e-6)), 1)
        if self._image is None or self._pixels.shape[0] != math.ceil(len(self._order) / block):
            self._pixels = self._colored(content, block)
            height, width = self._pixels.shape
            self._image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        area = self._area()
        target = QRectF(
            area.left() - self._left * across,
            area.top() - self._top * down,
            self._pixels.shape[1] * block * across,
            self._pixels.shape[0] * block * down,
        )
        painter.drawImage(target, self._image)
        painter.setPen(theme().color("border"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(0, 0, -1, -1))

    def _colored(self, content: MatrixContent, block: int) -> np.ndarray:
        """uint32 (n, n) of 0xFFRRGGBB, one for each block of cells."""
        diagonal, off_diagonal = self._largest(content)
        order = np.array(self._order)
        counts = content.counts[np.ix_(order, order)]
        # The square root: most confusions of many classes are few, and would be invisible.
        right = np.rint(255 * np.sqrt(counts.diagonal() / diagonal)).astype(np.uint8)
        np.fill_diagonal(counts, 0)
        wrong = np.sqrt(counts.astype(np.float32) * np.float32(255**2 / off_diagonal)).astype(np.uint8)
        padding = -len(order) % block
        size = (len(order) + padding) // block
        wrong = np.pad(wrong, (0, padding)).reshape(size, block, size, block).max(axis=(1, 3))
        right = np.pad(right, (0, padding)).reshape(size, block).max(axis=1)
        pixels = ramp("validation", "panel")[wrong]
        on_diagonal = np.arange(size)
        pixels[on_diagonal, on_diagonal] = np.where(
            right > 0, ramp("good", "panel")[right], pixels.diagonal()
        )
        return np.ascontiguousarray(pixels)

    def _paint_choice(self, painter: QPainter) -> None:
        if self._cell is None or max(self._cell) >= len(self._order):
            return
        row, column = (self._order.index(each) for each in self._cell)
        rect = self._rect(row, column)
        # A cell of a few pixels would vanish in its own frame.
        grow = max((8 - rect.width()) / 2, 0)
        rect = rect.adjusted(-grow, -grow, grow, grow)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme().color("panel"), 1))
        painter.drawRoundedRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5), 4, 4)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawRoundedRect(rect.adjusted(0, 0, 0, 0), 3, 3)

    def _paint_rows(self, painter: QPainter, content: MatrixContent, rows: range) -> None:
        """The names of the actual classes, and their recalls."""
        right = self._area().right() + 4
        for row in rows:
            index, middle = self._order[row], self._rect(row, 0).center().y()
            if not self._area().adjusted(0, -8, 0, 8).contains(self._area().center().x(), middle):
                continue
            self._paint_name(painter, self._names[index], self._is_bold(0, index), 0, self._labels, middle)
            self._paint_score(painter, content.recall[index], right, self.width() - right, middle)
        head = self._fonts["help"]
        painter.setFont(head.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(
            QPointF(self._score_right() - head.width("recall"), head.baseline(_HEAD / 2)), "recall"
        )

    def _score_right(self) -> float:
        return min(self._area().right() + _SCORE_WIDTH, float(self.width()))

    def _paint_name(
        self, painter: QPainter, name: str, bold: bool, left: float, width: int, middle: float
    ) -> None:
        metrics = self._fonts["bold" if bold else "help"]
        text = metrics.elided(name, width)
        painter.setFont(metrics.font)
        painter.setPen(theme().color("text"))
        painter.drawText(QPointF(left + width - metrics.width(text), metrics.baseline(middle)), text)

    def _paint_score(self, painter: QPainter, value: float, left: float, width: float, middle: float) -> None:
        metrics = self._fonts["mono"]
        text = "–" if math.isnan(value) else f"{100 * value:.1f}%"
        painter.setFont(metrics.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(QPointF(self._score_right() - metrics.width(text), metrics.baseline(middle)), text)

    def _paint_columns(self, painter: QPainter, content: MatrixContent, columns: range) -> None:
        """The names of the predicted classes, and their precisions."""
        area, score = self._area(), self._fonts["mono"]
        across = self._pitch()[0]
        below = min(area.bottom(), self._rect(len(self._order) - 1, 0).bottom()) + _HEAD / 2
        for column in columns:
            index, rect = self._order[column], self._rect(0, column)
            middle = rect.center().x()
            if not area.left() <= middle <= area.right():
                continue
            bold = self._is_bold(1, index)
            metrics = self._fonts["bold" if bold else "help"]
            name = metrics.elided(self._names[index], int(across) - 2)
            painter.setFont(metrics.font)
            painter.setPen(theme().color("text" if bold else "secondary"))
            painter.drawText(QPointF(middle - metrics.width(name) / 2, metrics.baseline(_HEAD / 2)), name)
            value = content.precision[index]
            text = "–" if math.isnan(value) else f"{100 * value:.0f}%"
            painter.setFont(score.font)
            painter.setPen(theme().color("secondary"))
            painter.drawText(QPointF(middle - score.width(text) / 2, score.baseline(below)), text)
        label = self._fonts["help"]
        text = label.elided("precision", self._labels)
        painter.setFont(label.font)
        painter.drawText(QPointF(self._labels - label.width(text), label.baseline(below)), text)

    def _paint_axes(self, painter: QPainter) -> None:
        """What rows and columns are, where there is no place for the names of all classes."""
        label, area = self._fonts["help"], self._area()
        painter.setFont(label.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(QPointF(area.left(), label.baseline(_HEAD / 2)), "predicted →")
        if self._pitch()[1] < 14:
            painter.drawText(
                QPointF(max(area.left() - label.width("actual ↓") - 6, 0), area.top() + 12), "actual ↓"
            )

    def _is_bold(self, axis: int, index: int) -> bool:
        return self._cell is not None and self._cell[axis] == index


def describe_cell(content: MatrixContent, cell: Cell) -> str:
    """`dog predicted as cat: 34 of 200 (17.0%)`."""
    actual, predicted = (plain_line(content.names[each], _MAX_NAME) for each in cell)
    count, total = int(content.counts[cell]), int(content.counts[cell[0]].sum())
    share = f"{count:,} of {total:,} ({100 * content.share(cell):.1f}%)"
    if cell[0] == cell[1]:
        return f"{actual} predicted correctly: {share}"
    return f"{actual} predicted as {predicted}: {share}"


__all__ = ["MAX_LABELED", "STRONGEST", "Cell", "Matrix", "MatrixContent", "describe_cell"]
