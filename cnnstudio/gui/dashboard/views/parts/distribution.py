"""How values are distributed over the epochs, as a map of densities, and at one epoch as a histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.core.formatting import format_value, pluralize
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import mixed, ramp
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.marks import round_ticks
from cnnstudio.gui.widgets.qimage import color_image

_LEVELS = 96
_LEFT, _TOP, _BOTTOM, _GAP = 52, 8, 34, 16


@dataclass(frozen=True, eq=False)
class Histogram:
    """The counts of `len(counts)` bins of equal width from `low` to `high`."""

    epoch: int
    counts: np.ndarray
    low: float
    high: float

    @property
    def is_empty(self) -> bool:
        return not int(self.counts.sum())

    def resampled(self, low: float, high: float, levels: int) -> np.ndarray:
        """The share of the values in each of `levels` bins from `low` to `high`: float64 (levels,)."""
        edges = np.linspace(low, high, levels + 1)
        if self.high <= self.low:
            found = np.zeros(levels)
            found[min(int((self.low - low) / max(high - low, 1e-30) * levels), levels - 1)] = 1.0
            return found
        own_edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        below = np.concatenate([[0.0], np.cumsum(self.counts)]) / max(int(self.counts.sum()), 1)
        return np.diff(np.interp(edges, own_edges, below))


class DistributionPlot(Canvas):
    """Epochs from left to right, values upwards; the darker, the more. At the right the cursor's epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("distributionPlot")
        self.setAccessibleName("Distribution over the epochs")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._histograms: tuple[Histogram, ...] = ()
        self._epoch = 0
        self._token = "training"
        self._range = (0.0, 1.0)
        self._image: QImage | None = None
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(420, 220)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 110)

    def show_histograms(self, histograms: tuple[Histogram, ...], epoch: int, token: str) -> None:
        """Shows histograms in the order of their epochs; `epoch` is marked; `token` names their color."""
        shown = tuple(each for each in histograms if not each.is_empty)
        if shown != self._histograms or token != self._token:
            self._image = None
        self._histograms, self._epoch, self._token = shown, epoch, token
        if shown:
            low, high = min(each.low for each in shown), max(each.high for each in shown)
            pad = max((high - low) * 0.02, abs(high) * 1e-6, 1e-12)
            self._range = (low - pad, high + pad)
        self.update()

    @property
    def current(self) -> Histogram | None:
        """The histogram of the marked epoch, or the latest before it."""
        before = [each for each in self._histograms if each.epoch <= self._epoch]
        return before[-1] if before else self._histograms[0] if self._histograms else None

    # Layout

    def _areas(self) -> tuple[QRectF, QRectF]:
        """The areas of the map and of the histogram at its right."""
        side = max(min(self.width() * 0.28, 150.0), 56.0)
        height = max(self.height() - _TOP - _BOTTOM, 10)
        width = max(self.width() - _LEFT - side - _GAP, 20)
        return QRectF(_LEFT, _TOP, width, height), QRectF(_LEFT + width + _GAP, _TOP, side, height)

    def _y(self, value: float, area: QRectF) -> float:
        low, high = self._range
        return area.bottom() - (value - low) / (high - low) * area.height()

    def tooltip_at(self, point: QPointF) -> str:
        found = self._at(point)
        return "" if found is None else describe_histogram(found)

    def _at(self, point: QPointF) -> Histogram | None:
        area, side = self._areas()
        if side.contains(point):
            return self.current
        if not area.contains(point) or not self._histograms:
            return None
        column = int((point.x() - area.left()) / area.width() * len(self._histograms))
        return self._histograms[min(column, len(self._histograms) - 1)]

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            if not self._histograms:
                painter.setFont(theme().font("help"))
                painter.setPen(theme().color("secondary"))
                painter.drawText(
                    self.rect(), Qt.AlignmentFlag.AlignCenter, "There are no such values in this layer"
                )
                return
            area, side = self._areas()
            self._paint_axes(painter, area, side)
            if self._image is None:
                self._image = self._drawn()
            painter.drawImage(area, self._image)
            self._paint_epoch(painter, area)
            self._paint_current(painter, side)
        finally:
            painter.end()

    def _drawn(self) -> QImage:
        shares = np.stack([each.resampled(*self._range, _LEVELS) for each in self._histograms], axis=1)[::-1]
        # The square root shows the tails too; each epoch's own peak is the darkest.
        peaks = np.maximum(shares.max(axis=0, keepdims=True), 1e-30)
        levels = np.rint(255 * np.sqrt(shares / peaks)).astype(np.uint8)
        return color_image(ramp(self._token, "panel", 0.9)[levels])

    def _paint_axes(self, painter: QPainter, area: QRectF, side: QRectF) -> None:
        style = theme()
        small = text_metrics(style.font("help"))
        painter.setFont(small.font)
        low, high = self._range
        for value in round_ticks(low, high):
            y = self._y(value, area)
            painter.setPen(style.color("grid"))
            painter.drawLine(QPointF(area.left(), y), QPointF(side.right(), y))
            painter.setPen(style.color("secondary"))
            text = format_value(value)
            painter.drawText(QPointF(area.left() - small.width(text) - 6, small.baseline(y)), text)
        painter.setPen(style.color("secondary"))
        first, last = self._histograms[0].epoch, self._histograms[-1].epoch
        below = small.baseline(area.bottom() + 12)
        painter.drawText(QPointF(area.left(), below), f"epoch {first}")
        if last != first:
            painter.drawText(QPointF(area.right() - small.width(str(last)), below), str(last))
        current = self.current
        if current is not None:
            text = small.elided(f"epoch {current.epoch}", int(side.width()))
            painter.drawText(QPointF(side.left(), below), text)

    def _paint_epoch(self, painter: QPainter, area: QRectF) -> None:
        """Marks the column of the cursor's epoch."""
        current = self.current
        if current is None:
            return
        width = area.width() / len(self._histograms)
        left = area.left() + self._histograms.index(current) * width
        painter.setPen(QPen(theme().color("accent"), 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(left, area.top() - 2, width, area.height() + 4))

    def _paint_current(self, painter: QPainter, area: QRectF) -> None:
        current = self.current
        if current is None:
            return
        shares = current.resampled(*self._range, _LEVELS)
        peak = max(float(shares.max()), 1e-30)
        step = area.height() / _LEVELS
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mixed(self._token, "panel", 0.7))
        for level in np.flatnonzero(shares):
            width = max(float(shares[level]) / peak * area.width(), 1.0)
            painter.drawRect(QRectF(area.left(), area.bottom() - (int(level) + 1) * step, width, step))
        zero = self._y(0.0, area)
        if area.top() <= zero <= area.bottom():
            painter.setPen(QPen(theme().color("secondary"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(area.left(), zero), QPointF(area.right(), zero))

    def _on_theme_changed(self, _: object) -> None:
        self._image = None
        self.update()


def describe_histogram(histogram: Histogram) -> str:
    """`Epoch 3: 864 values from −0.41 to 0.38`."""
    count = pluralize(int(histogram.counts.sum()), "value")
    low, high = format_value(histogram.low), format_value(histogram.high)
    return f"Epoch {histogram.epoch}: {count} from {low} to {high}"
