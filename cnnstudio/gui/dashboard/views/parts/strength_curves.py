"""Small plots side by side: how the accuracy falls with the strength of each corruption."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.parts.pointed_chart import PointedChart
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_focus
from cnnstudio.gui.widgets.plain_text import plain_line

_MARGIN, _GAP = 16, 16
_LEFT, _TOP, _BOTTOM = 41, 22, 20
"""Around the axes of a plot: numbers, title, numbers."""
_MIN_WIDTH, _MIN_HEIGHT, _MAX_HEIGHT = 150, 110, 240
_DOT = 3.0
_MAX_TITLE = 24


@dataclass(frozen=True)
class StrengthCurve:
    """One plot."""

    title: str
    accuracy: tuple[float, ...]
    """0 to 1, at strength 0 (the images as they are), 1, 2 and so on."""
    labels: tuple[str, ...]
    """What each strength is: `as they are`, `quality 80`."""

    def describe(self, strength: int) -> str:
        """`JPEG, strength 3 of 5 (quality 40): 61.2%, 12.1 points below the images as they are`."""
        value, clean = self.accuracy[strength], self.accuracy[0]
        if not strength:
            return f"Images as they are: {format_percent(clean)}"
        difference = 100 * (clean - value)
        place = "as accurate as on" if abs(difference) < 0.05 else f"{abs(difference):.1f} points below"
        if difference <= -0.05:
            place = f"{-difference:.1f} points above"
        return (
            f"{self.title}, strength {strength} of {len(self.accuracy) - 1} ({self.labels[strength]}): "
            f"{format_percent(value)}, {place} the images as they are"
        )


class StrengthCurves(PointedChart[tuple[int, int]]):
    """All plots on one scale. What is pointed at is a plot and a strength."""

    def __init__(self) -> None:
        super().__init__("strengthCurves", "Accuracy by strength", (560, 420))
        self._curves: tuple[StrengthCurve, ...] = ()

    def show_curves(self, curves: tuple[StrengthCurve, ...]) -> None:
        self._curves = curves
        self.show_anew()

    # Places

    @property
    def _columns(self) -> int:
        """As many as make the plots the largest."""
        fitting = max(int((self.width() - 2 * _MARGIN + _GAP) // (_MIN_WIDTH + _GAP)), 1)
        count = max(len(self._curves), 1)
        # As few empty places as the rows allow.
        sensible = {math.ceil(count / math.ceil(count / each)) for each in range(1, min(fitting, count) + 1)}
        return max(sensible, key=lambda columns: (math.prod(self._plot_size(columns)), columns))

    def _plot_size(self, columns: int) -> tuple[float, float]:
        """Width and height of a plot in so many columns; the height is negative where they do not all fit."""
        rows = math.ceil(max(len(self._curves), 1) / columns)
        width = (self.width() - 2 * _MARGIN - (columns - 1) * _GAP) / columns
        height = (self.height() - (rows - 1) * _GAP) / rows
        return width, min(height, _MAX_HEIGHT) if height >= _MIN_HEIGHT else -rows

    def axes(self, number: int) -> QRectF:
        """The area between the axes of a plot."""
        columns = self._columns
        width, height = self._plot_size(columns)
        height = max(height, _MIN_HEIGHT)
        row, column = divmod(number, columns)
        left, top = _MARGIN + column * (width + _GAP), row * (height + _GAP)
        return QRectF(left + _LEFT, top + _TOP, width - _LEFT - 6, height - _TOP - _BOTTOM)

    def point(self, number: int, strength: int) -> QPointF:
        """Where the value of a plot at a strength is drawn."""
        curve, area = self._curves[number], self.axes(number)
        x = area.left() + strength / max(len(curve.accuracy) - 1, 1) * area.width()
        return QPointF(x, area.bottom() - curve.accuracy[strength] * area.height())

    def index_at(self, point: QPointF) -> tuple[int, int] | None:
        for number, curve in enumerate(self._curves):
            area = self.axes(number)
            if area.adjusted(-8, -_TOP, 8, _BOTTOM).contains(point):
                last = len(curve.accuracy) - 1
                share = (point.x() - area.left()) / max(area.width(), 1)
                return number, min(max(round(share * last), 0), last)
        return None

    def has_index(self, index: tuple[int, int]) -> bool:
        return index[0] < len(self._curves)

    def next_index(self, index: tuple[int, int] | None, down: int, across: int) -> tuple[int, int] | None:
        if not self._curves:
            return None
        if index is None:
            return 0, 0
        number = min(max(index[0] + down, 0), len(self._curves) - 1)
        last = len(self._curves[number].accuracy) - 1
        return number, min(max(index[1] + across, 0), last)

    def describe(self, index: tuple[int, int]) -> str:
        return self._curves[index[0]].describe(index[1])

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for number, curve in enumerate(self._curves):
                self._paint_axes(painter, curve, self.axes(number))
                self._paint_curve(painter, number, curve)
            if self.hasFocus() and self._curves:
                number = 0 if self.index is None else self.index[0]
                paint_focus(painter, self.axes(number).adjusted(-_LEFT + 2, -_TOP + 2, 5, _BOTTOM - 2))
        finally:
            painter.end()

    def _paint_axes(self, painter: QPainter, curve: StrengthCurve, area: QRectF) -> None:
        style = theme()
        small = text_metrics(style.font("help"))
        painter.setFont(small.font)
        for percent in (0, 50, 100):
            y = area.bottom() - percent / 100 * area.height()
            painter.setPen(style.color("grid"))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(style.color("secondary"))
            text = f"{percent}%"
            painter.drawText(QPointF(area.left() - small.width(text) - 6, small.baseline(y)), text)
        for strength in range(len(curve.accuracy)):
            x = area.left() + strength / max(len(curve.accuracy) - 1, 1) * area.width()
            text = str(strength)
            painter.drawText(QPointF(x - small.width(text) / 2, small.baseline(area.bottom() + 11)), text)
        painter.setPen(style.color("text"))
        title, last = plain_line(curve.title, _MAX_TITLE), format_percent(curve.accuracy[-1])
        y = small.baseline(area.top() - 11)
        painter.drawText(QPointF(area.left(), y), title)
        painter.setPen(style.color("secondary"))
        painter.drawText(QPointF(area.right() - small.width(last), y), last)

    def _paint_curve(self, painter: QPainter, number: int, curve: StrengthCurve) -> None:
        style, area = theme(), self.axes(number)
        points = [self.point(number, strength) for strength in range(len(curve.accuracy))]
        painter.setPen(QPen(style.color("secondary"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(area.left(), points[0].y()), QPointF(area.right(), points[0].y()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(style.color("validation"), 2))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color("validation"))
        for strength, point in enumerate(points):
            size = 2 * _DOT if (number, strength) == self.index else _DOT
            painter.drawEllipse(point, size, size)
