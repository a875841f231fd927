"""A small table of layers' output shapes before and after an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme

_ROW_HEIGHT = 24
_MAX_ROWS = 7
_ICON_SIZE = 17
_MARK_WIDTH = 18
_ARROW_WIDTH = 34
_MARKS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": ""}


@dataclass(frozen=True)
class ShapeRow:
    """One layer. `status` is "added", "changed" or "removed"; an unchanged shape is only in `after`."""

    title: str
    icon: str
    token: str
    status: str
    before: str
    after: str


class ShapeTable(QWidget):
    """One line per layer: icon, name, output shape before, an arrow, output shape after."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[ShapeRow] = ()
        self._more = 0
        self._content = TextMetrics(theme().font("help"))
        self._strong = TextMetrics(theme().font("strong"))
        self._digits = TextMetrics(theme().monospace())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_rows(self, rows: Sequence[ShapeRow]) -> None:
        """Shows up to _MAX_ROWS rows, and how many more there are."""
        # A line that says "1 more layer" is better used for that layer.
        fits = len(rows) <= _MAX_ROWS + 1
        self._rows = rows if fits else rows[:_MAX_ROWS]
        self._more = len(rows) - len(self._rows)
        self.setVisible(bool(rows))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, _ROW_HEIGHT * (len(self._rows) + bool(self._more)))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        after_width = max((self._digits.width(row.after) for row in self._rows), default=0)
        before_width = max((self._digits.width(row.before) for row in self._rows), default=0)
        before_right = self.width() - after_width - _ARROW_WIDTH
        for number, row in enumerate(self._rows):
            middle = number * _ROW_HEIGHT + _ROW_HEIGHT / 2
            shapes_left = before_right - before_width if row.before else self.width() - after_width
            self._paint_name(painter, row, middle, shapes_left - _MARK_WIDTH - _ICON_SIZE - 20)
            self._paint_shapes(painter, row, middle, before_right)
        if self._more:
            painter.setFont(self._content.font)
            painter.setPen(theme().color("secondary"))
            baseline = self._content.baseline(len(self._rows) * _ROW_HEIGHT + _ROW_HEIGHT / 2)
            left = _MARK_WIDTH + _ICON_SIZE + 8
            painter.drawText(left, baseline, f"and {self._more:,} more layers change")
        painter.end()

    def _paint_name(self, painter: QPainter, row: ShapeRow, middle: float, width: int) -> None:
        token = "good" if row.status == "added" else "secondary"
        painter.setFont(self._strong.font)
        painter.setPen(theme().color(token))
        painter.drawText(2, self._strong.baseline(middle), _MARKS[row.status])
        icon = theme().pixmap(row.icon, row.token, _ICON_SIZE, self.devicePixelRatioF())
        painter.drawPixmap(_MARK_WIDTH, round(middle - _ICON_SIZE / 2), icon)
        painter.setFont(self._content.font)
        painter.setPen(theme().color("secondary" if row.status == "removed" else "text"))
        left = _MARK_WIDTH + _ICON_SIZE + 8
        painter.drawText(left, self._content.baseline(middle), self._content.elided(row.title, width))

    def _paint_shapes(self, painter: QPainter, row: ShapeRow, middle: float, before_right: int) -> None:
        baseline = self._digits.baseline(middle)
        painter.setFont(self._digits.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(before_right - self._digits.width(row.before), baseline, row.before)
        painter.setPen(theme().color("text"))
        painter.drawText(self.width() - self._digits.width(row.after), baseline, row.after)
        if row.before and row.after:
            self._paint_arrow(painter, before_right + 9, before_right + _ARROW_WIDTH - 9, middle)

    def _paint_arrow(self, painter: QPainter, left: int, right: int, middle: float) -> None:
        painter.setPen(QPen(theme().color("secondary"), 1.2))
        tip = QPointF(right, middle)
        painter.drawLine(QPointF(left, middle), tip)
        painter.drawPolyline([tip + QPointF(-3.5, -3.5), tip, tip + QPointF(-3.5, 3.5)])
