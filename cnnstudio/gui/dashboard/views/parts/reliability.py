"""A reliability diagram: how often predictions are right, by how confident the model was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.dashboard.views.parts.pointed_chart import PointedChart
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import mixed
from cnnstudio.gui.widgets.canvas.marks import paint_axis_titles, paint_focus

_LEFT, _BOTTOM, _TOP, _RIGHT = 60, 40, 10, 28
_COUNTS = 48
"""The height of the bars that count the images."""
_LARGEST_SIDE = 560


@dataclass(frozen=True, eq=False)
class Bins:
    """What the diagram shows; arrays of one length B."""

    edges: np.ndarray
    """float64 (B + 1,), from 0 to 1."""
    counts: np.ndarray
    """int64 (B,)."""
    confidence: np.ndarray
    """float64 (B,), the mean confidence; any number in an empty bin."""
    accuracy: np.ndarray
    """float64 (B,), any number in an empty bin."""

    def describe(self, index: int) -> str:
        """`Confidence 80% to 90%: 212 images, 84.1% confident on average, 79.2% correct`."""
        low, high = self.edges[index], self.edges[index + 1]
        start = f"Confidence {100 * low:.0f}% to {100 * high:.0f}%: "
        count = int(self.counts[index])
        if not count:
            return f"{start}no images"
        return (
            f"{start}{pluralize(count, 'image')}, {format_percent(float(self.confidence[index]))} confident "
            f"on average, {format_percent(float(self.accuracy[index]))} correct"
        )


class ReliabilityDiagram(PointedChart[int]):
    """Accuracy by confidence as bars against the diagonal; below it how many images each stands for.

    What is pointed at is a bin.
    """

    def __init__(self) -> None:
        super().__init__("reliabilityDiagram", "Reliability diagram", (440, 440))
        self._bins: Bins | None = None

    def show_bins(self, bins: Bins) -> None:
        self._bins = bins
        self.show_anew()

    # What is where

    def _areas(self) -> tuple[QRectF, QRectF]:
        """The areas of the diagram and of the counts below it."""
        width = self.width() - _LEFT - _RIGHT
        height = self.height() - _TOP - _BOTTOM - _COUNTS - 8
        side = max(min(width, height, _LARGEST_SIDE), 40)
        left = _LEFT + max((width - side) / 2, 0)
        diagram = QRectF(left, _TOP, side, side)
        return diagram, QRectF(left, diagram.bottom() + 8, side, _COUNTS)

    def bar_center(self, index: int) -> QPointF:
        """A point in the column of a bin."""
        assert self._bins is not None
        diagram, _ = self._areas()
        middle = (self._bins.edges[index] + self._bins.edges[index + 1]) / 2
        return QPointF(diagram.left() + middle * diagram.width(), diagram.center().y())

    def index_at(self, point: QPointF) -> int | None:
        diagram, counts = self._areas()
        if self._bins is None or not diagram.united(counts).contains(point):
            return None
        share = (point.x() - diagram.left()) / diagram.width()
        return int(
            np.clip(np.searchsorted(self._bins.edges, share, "right") - 1, 0, len(self._bins.counts) - 1)
        )

    def has_index(self, index: int) -> bool:
        return self._bins is not None and index < len(self._bins.counts)

    def next_index(self, index: int | None, down: int, across: int) -> int | None:
        if self._bins is None or down:
            return None
        count = len(self._bins.counts)
        return min(max((count if index is None else index) + across, 0), count - 1)

    def describe(self, index: int) -> str:
        return "" if self._bins is None else self._bins.describe(index)

    def tooltip_at(self, point: QPointF) -> str:
        index = self.index_at(point)
        return "" if index is None else self.describe(index)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            diagram, counts = self._areas()
            self._paint_axes(painter, diagram, counts)
            if self._bins is not None:
                self._paint_bars(painter, self._bins, diagram)
                self._paint_counts(painter, self._bins, counts)
            painter.setPen(QPen(theme().color("secondary"), 1.4, Qt.PenStyle.DashLine))
            painter.drawLine(diagram.bottomLeft(), diagram.topRight())
            if self.hasFocus():
                paint_focus(painter, diagram.adjusted(-3, -3, 3, 3))
        finally:
            painter.end()

    def _paint_axes(self, painter: QPainter, diagram: QRectF, counts: QRectF) -> None:
        style = theme()
        small = text_metrics(style.font("help"))
        painter.setFont(small.font)
        # As many numbers as there is room for below the diagram.
        distance = 20 if diagram.width() >= 6 * small.width("100% ") else 50
        for step in range(0, 101, distance):
            y = diagram.bottom() - step / 100 * diagram.height()
            x = diagram.left() + step / 100 * diagram.width()
            painter.setPen(style.color("grid"))
            painter.drawLine(QPointF(diagram.left(), y), QPointF(diagram.right(), y))
            painter.setPen(style.color("secondary"))
            text = f"{step}%"
            painter.drawText(QPointF(diagram.left() - small.width(text) - 6, small.baseline(y)), text)
            painter.drawText(QPointF(x - small.width(text) / 2, small.baseline(counts.bottom() + 10)), text)
        down = counts.bottom() + 27 - diagram.bottom()
        paint_axis_titles(painter, diagram, "confidence", down, "correct", 42)

    def _column(self, bins: Bins, index: int, area: QRectF) -> tuple[float, float]:
        """Left and width of a bar."""
        left = area.left() + bins.edges[index] * area.width() + 1
        return left, (bins.edges[index + 1] - bins.edges[index]) * area.width() - 2

    def _paint_bars(self, painter: QPainter, bins: Bins, area: QRectF) -> None:
        """Blue up to the accuracy; the gap to the confidence in orange."""
        style = theme()
        for index in np.flatnonzero(bins.counts):
            left, width = self._column(bins, int(index), area)
            right, wanted = float(bins.accuracy[index]), float(bins.confidence[index])
            top = area.bottom() - right * area.height()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(mixed("training", "panel", 0.75 if index == self.index else 0.5))
            painter.drawRect(QRectF(left, top, width, area.bottom() - top))
            gap = QRectF(left, area.bottom() - wanted * area.height(), width, 0)
            gap.setBottom(top)
            painter.setBrush(mixed("validation", "panel", 0.3))
            painter.setPen(QPen(style.color("validation"), 1))
            painter.drawRect(gap.normalized())
            painter.setPen(QPen(style.color("training"), 2))
            painter.drawLine(QPointF(left, top), QPointF(left + width, top))

    def _paint_counts(self, painter: QPainter, bins: Bins, area: QRectF) -> None:
        most = max(int(bins.counts.max()), 1)
        painter.setPen(Qt.PenStyle.NoPen)
        for index, count in enumerate(bins.counts):
            left, width = self._column(bins, index, area)
            height = max(int(count) / most * area.height(), 1.0 if count else 0.0)
            painter.setBrush(mixed("secondary", "panel", 0.8 if index == self.index else 0.45))
            painter.drawRect(QRectF(left, area.bottom() - height, width, height))
