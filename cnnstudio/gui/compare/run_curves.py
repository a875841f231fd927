"""Loss and accuracy of two runs over their epochs, one above the other on one axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import round_ticks
from cnnstudio.training.events import EpochEnded

History = Sequence[EpochEnded]

_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 44, 12, 18, 20, 22
_TICKS = 4
_MAX_POINTS = 2_000
_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)
"""Of the first and the second run; the colors say training or validation, as everywhere."""


@dataclass(frozen=True)
class _Curve:
    token: str
    style: Qt.PenStyle
    points: tuple[tuple[float, float], ...]


class RunCurves(QWidget):
    """Training and validation of both runs: the first in solid lines, the second in dashed ones."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("comparedCurves")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._histories: tuple[History, ...] = ()
        theme().changed.connect(self._on_theme_changed)

    def _on_theme_changed(self, _: object) -> None:
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(460, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 200)

    def show_histories(self, first: History, second: History) -> None:
        self._histories = first, second
        self.setAccessibleName("Loss and accuracy over the epochs")
        self.setAccessibleDescription(_summary(first, second))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height = (self.height() - 2 * _TOP - _BOTTOM - _GAP) / 2
        width = self.width() - _LEFT - _RIGHT
        epochs = max((each[-1].epoch for each in self._histories if each), default=1)
        upper = QRectF(_LEFT, _TOP, width, height)
        lower = QRectF(_LEFT, 2 * _TOP + height + _GAP, width, height)
        self._paint_plot(painter, upper, "Loss", self._curves("loss"), epochs, None)
        self._paint_plot(painter, lower, "Accuracy", self._curves("accuracy"), epochs, _percent)
        text = text_metrics(theme().font("help"))
        painter.setFont(text.font)
        right = upper.right()
        for token in ("validation", "training"):
            right -= text.width(token) + 12
            painter.setPen(theme().color(token))
            painter.drawText(round(right + 12), round(upper.top() - 5), token)
        painter.setPen(theme().color("secondary"))
        for epoch in round_ticks(0, epochs, 6):
            if epoch == round(epoch):
                label = f"{epoch:,.0f}"
                x = lower.left() + epoch / epochs * width
                painter.drawText(round(x - text.width(label) / 2), round(lower.bottom() + 16), label)
        painter.end()

    def _curves(self, name: str) -> list[_Curve]:
        found = []
        for history, style in zip(self._histories, _STYLES, strict=False):
            step = max(math.ceil(len(history) / _MAX_POINTS), 1)
            some = [*history[::step], *history[-1:]]
            for token, part in (("training", "train"), ("validation", "validation")):
                points = ((each.epoch, getattr(getattr(each, part), name)) for each in some)
                found.append(_Curve(token, style, tuple(p for p in points if math.isfinite(p[1]))))
        return found

    def _paint_plot(
        self,
        painter: QPainter,
        area: QRectF,
        title: str,
        curves: Sequence[_Curve],
        epochs: int,
        text_of: Callable[[float], str] | None,
    ) -> None:
        metrics, strong = text_metrics(theme().font("help")), text_metrics(theme().font("strong"))
        painter.setFont(strong.font)
        painter.setPen(theme().color("text"))
        painter.drawText(round(area.left()), round(area.top() - 5), title)
        values = [y for curve in curves for _, y in curve.points]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if high - low < 1e-9 * max(abs(high), 1.0):
            low, high = low - 0.5, high + 0.5
        painter.setFont(metrics.font)
        for tick in round_ticks(low, high, _TICKS):
            y = area.bottom() - (tick - low) / (high - low) * area.height()
            painter.setPen(theme().color("grid"))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            label = text_of(tick) if text_of is not None else f"{tick:.3g}"
            painter.setPen(theme().color("secondary"))
            painter.drawText(round(area.left() - 6 - metrics.width(label)), metrics.baseline(y), label)
        for curve in curves:
            points = [
                QPointF(
                    area.left() + x / epochs * area.width(),
                    area.bottom() - (y - low) / (high - low) * area.height(),
                )
                for x, y in curve.points
            ]
            painter.setPen(QPen(theme().color(curve.token), 1.8, curve.style))
            painter.drawPolyline(QPolygonF(points))
            if len(points) == 1:
                painter.drawEllipse(points[0], 2, 2)


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


def _summary(first: History, second: History) -> str:
    parts = []
    for name, history in (("First run", first), ("second run", second)):
        if history:
            last = history[-1]
            parts.append(
                f"{name}: {len(history):,} epochs, last validation loss {last.validation.loss:.3g}, "
                f"accuracy {100 * last.validation.accuracy:.1f}%"
            )
        else:
            parts.append(f"{name}: no complete epoch")
    return "; ".join(parts) + "."
