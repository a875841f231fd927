"""How the run on show is doing, small, below the inspector of the Design page."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel

HEIGHT = 140


class Sparkline(QWidget):
    """The training and validation values of one metric, without axes."""

    def __init__(self, title: str, *, percent: bool) -> None:
        super().__init__()
        self._title = title
        self._percent = percent
        self._curves = MetricCurves()
        self._epochs = 1
        self._drawn: object = None
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(130, 80)

    def show_curves(self, curves: MetricCurves, epochs: int) -> None:
        """Shows the curves on an axis that ends at `epochs`."""
        drawn = (curves, epochs, len(curves.steps), len(curves.validation))
        if drawn != self._drawn:
            self._drawn, self._curves, self._epochs = drawn, curves, epochs
            self.setAccessibleName(f"{self._title}: {self.value or 'no values yet'}")
            self.update()

    @property
    def value(self) -> str:
        """The newest validation value, such as `valid. 75.4%`; empty before the first one."""
        y = self._curves.validation.y
        if not len(y):
            return ""
        return f"valid. {format_percent(float(y[-1])) if self._percent else f'{y[-1]:.3f}'}"

    def paintEvent(self, event: QPaintEvent) -> None:
        style, head = theme(), 18
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = QRectF(0, 0, self.width(), head)
        painter.setFont(style.font("axis_strong"))
        painter.setPen(style.color("text"))
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, self._title)
        painter.setFont(style.font("axis"))
        painter.setPen(style.color("validation"))
        painter.drawText(top, Qt.AlignmentFlag.AlignRight, self.value)
        area = QRectF(0, head + 4, self.width(), self.height() - head - 6)
        painter.setPen(QPen(style.color("grid"), 1))
        for share in (0, 0.5, 1):
            y = area.top() + share * area.height()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        curves = self._curves
        trend, validation = curves.trend.curve(), (curves.validation.x, curves.validation.y)
        values = np.concatenate([trend[1], validation[1]])
        values = values[np.isfinite(values)]
        if len(values):
            high = 1.0 if self._percent else max(float(values.max()), 1e-9)
            self._paint_line(painter, area, trend, high, "training")
            self._paint_line(painter, area, validation, high, "validation")
        painter.end()

    def _paint_line(
        self, painter: QPainter, area: QRectF, points: tuple[np.ndarray, np.ndarray], high: float, token: str
    ) -> None:
        x = area.left() + points[0] / max(self._epochs, 1) * area.width()
        y = area.bottom() - np.clip(points[1] / high, 0, 1) * area.height()
        painter.setPen(QPen(theme().color(token), 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(
            QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)])
        )

    def _on_theme_changed(self, _: object) -> None:
        self.update()


class LiveStrip(Panel):
    """Loss and accuracy of the run on show. Without a run it leaves its place to the inspector."""

    def __init__(self, project: Project, shown: ShownRun, clock: FrameClock) -> None:
        super().__init__("liveStrip")
        self._project = project
        self._shown = shown
        self.setFixedHeight(HEIGHT)
        self._title = ElidedLabel(role="strong")
        self.chip = Label("not this design", "axis")
        self.chip.setProperty("role", "chip")
        self.chip.setToolTip("The run on show was trained with another design than the one that is open")
        self._loss = Sparkline("Loss", percent=False)
        self._accuracy = Sparkline("Accuracy", percent=True)
        head, row, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        head.setSpacing(8)
        head.addWidget(self._title, 1)
        head.addWidget(self.chip)
        row.setSpacing(14)
        row.addWidget(self._loss, 1)
        row.addWidget(self._accuracy, 1)
        column.setContentsMargins(16, 10, 16, 10)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(row, 1)
        clock.frame.connect(self.draw)
        shown.cursor.run_changed.connect(self._show_whether)
        shown.cursor.advanced.connect(self._show_whether)
        project.network_changed.connect(self._show_design)
        self._show_whether()

    @property
    def is_other_design(self) -> bool:
        """Whether the run has another design than the one that is open."""
        return self._shown.record.network.nodes != self._project.network.nodes

    def _show_whether(self, *_: object) -> None:
        # Also while a run begins: the place must not change with its first step.
        record = self._shown.record
        self.setVisible(bool(record.network.nodes))
        self._show_design()

    def _show_design(self, *_: object) -> None:
        self.chip.setVisible(self.is_other_design)

    def draw(self) -> None:
        """Draws the newest values."""
        if not self.isVisible():
            return
        record, cursor = self._shown.record, self._shown.cursor
        history = record.history
        self._title.set_full_text(f"{record.network.name} is training" if cursor.is_live else record.title)
        self._loss.show_curves(history.loss, history.total_epochs)
        self._accuracy.show_curves(history.accuracy, history.total_epochs)
