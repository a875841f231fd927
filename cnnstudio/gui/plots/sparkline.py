"""The curves of one metric, small and without axes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.plots.drawing.items import Points
from cnnstudio.gui.plots.metrics import Metric
from cnnstudio.gui.plots.options import DEFAULTS
from cnnstudio.gui.plots.ranges import ValueRanges
from cnnstudio.gui.plots.values import training_line
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves
from cnnstudio.gui.theme.theme import theme

_HEAD, _GAP = 18, 4
_DOT_RADIUS = 2.0


class Sparkline(QWidget):
    """The smoothed training values and the validation values, and the newest one in words."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._quantity = metric
        self._curves = MetricCurves()
        self._ranges = ValueRanges(metric)
        self._epochs = 1
        self._drawn: object = None
        self._lines: dict[str, QPolygonF] = {}
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(130, 80)

    def show_curves(self, curves: MetricCurves, epochs: int) -> None:
        """Shows the curves on an axis that ends at `epochs`."""
        drawn = (curves, epochs, len(curves.steps), len(curves.validation))
        if drawn == self._drawn:
            return
        if curves is not self._curves:
            self._ranges = ValueRanges(self._quantity)
        self._drawn, self._curves, self._epochs = drawn, curves, epochs
        self.setAccessibleName(f"{self._quantity.title}: {self.value or 'no values yet'}")
        self._place()

    @property
    def value(self) -> str:
        """The newest validation value, such as `valid. 75.4%`; empty before the first one."""
        y = self._curves.validation.y
        return f"valid. {self._quantity.format(float(y[-1]))}" if len(y) else ""

    @property
    def _area(self) -> QRectF:
        return QRectF(0, _HEAD + _GAP, self.width(), self.height() - _HEAD - _GAP - 2)

    def _place(self) -> None:
        """Finds the places of the lines; they are painted more often than they change."""
        curves = self._curves
        training = training_line(self._quantity, curves, DEFAULTS)
        validation = (curves.validation.x, curves.validation.y)
        low, high = self._ranges.whole([training, validation], [])
        self._lines = {
            token: self._placed(points, low, high)
            for token, points in (("training", training), ("validation", validation))
        }
        self.update()

    def _placed(self, points: Points, low: float, high: float) -> QPolygonF:
        area = self._area
        x = area.left() + points[0] / max(self._epochs, 1) * area.width()
        y = area.bottom() - np.clip((points[1] - low) / (high - low), 0, 1) * area.height()
        return QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def paintEvent(self, event: QPaintEvent) -> None:
        style, area = theme(), self._area
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = QRectF(0, 0, self.width(), _HEAD)
        painter.setFont(style.font("axis_strong"))
        painter.setPen(style.color("text"))
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, self._quantity.title)
        painter.setFont(style.font("axis"))
        painter.setPen(style.color("validation"))
        painter.drawText(top, Qt.AlignmentFlag.AlignRight, self.value)
        painter.setPen(QPen(style.color("grid"), 1))
        for share in (0, 0.5, 1):
            y = area.top() + share * area.height()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        for token, line in self._lines.items():
            painter.setPen(QPen(style.color(token), 1.6))
            painter.drawPolyline(line)
            if line.size() == 1:
                painter.setBrush(style.color(token))
                painter.drawEllipse(line.at(0), _DOT_RADIUS, _DOT_RADIUS)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()
