"""A learning curve as a small plot: accuracy by number of images."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.core.formatting import format_count, format_percent
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_axis_titles
from cnnstudio.tuning.learning_curve import FRACTIONS, CurvePoint

_LEFT, _TOP, _RIGHT, _BOTTOM = 72, 20, 92, 68
_DOT = 4.0


class LearningCurvePlot(QWidget):
    """Training and validation accuracy; the numbers of images on a logarithmic axis."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("learningCurvePlot")
        self.setAccessibleName("Learning curve")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._points: tuple[CurvePoint, ...] = ()
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(520, 280)

    def show_points(self, points: tuple[CurvePoint, ...]) -> None:
        self._points = points
        self.setAccessibleDescription(
            "; ".join(
                f"{format_count(point.images)} images: training {format_percent(point.train_accuracy)}, "
                f"validation {format_percent(point.accuracy)}"
                for point in points
            )
        )
        self.update()

    def _area(self) -> QRectF:
        return QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)

    def _place(self, fraction: float, accuracy: float) -> QPointF:
        area = self._area()
        share = 1 - math.log(fraction) / math.log(FRACTIONS[0])
        return QPointF(area.left() + share * area.width(), area.bottom() - accuracy * area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(theme().color("border"))
            painter.setBrush(theme().color("panel"))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
            self._paint_axes(painter)
            self._paint_line(
                painter, "training", [point.train_accuracy for point in self._points], "training"
            )
            self._paint_line(painter, "validation", [point.accuracy for point in self._points], "validation")
        finally:
            painter.end()

    def _paint_axes(self, painter: QPainter) -> None:
        style, area = theme(), self._area()
        small = text_metrics(style.font("help"))
        painter.setFont(small.font)
        for percent in range(0, 101, 25):
            y = self._place(1, percent / 100).y()
            painter.setPen(style.color("grid"))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(style.color("secondary"))
            text = f"{percent}%"
            painter.drawText(QPointF(area.left() - small.width(text) - 6, small.baseline(y)), text)
        images = {point.fraction: point.images for point in self._points}
        for fraction in FRACTIONS:
            x = self._place(fraction, 0).x()
            painter.setPen(style.color("grid"))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(style.color("secondary"))
            lines = [f"{100 * fraction:.0f}%"]
            lines += [format_count(images[fraction])] if fraction in images else []
            for number, text in enumerate(lines):
                y = small.baseline(area.bottom() + 12 + 14 * number)
                painter.drawText(QPointF(x - small.width(text) / 2, y), text)
        paint_axis_titles(painter, area, "training images", 45, "accuracy", 48)

    def _paint_line(self, painter: QPainter, token: str, values: list[float], label: str) -> None:
        if not values:
            return
        style = theme()
        places = [
            self._place(point.fraction, value) for point, value in zip(self._points, values, strict=True)
        ]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(style.color(token), 2))
        painter.drawPolyline(QPolygonF(places))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color(token))
        for place in places:
            painter.drawEllipse(place, _DOT, _DOT)
        small = text_metrics(style.font("help"))
        painter.setPen(style.color(token))
        painter.drawText(QPointF(places[-1].x() + 10, small.baseline(places[-1].y())), label)
