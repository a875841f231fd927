"""The plot of a range test: the loss against the learning rate, the suitable range, and the chosen rate."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont, QPen

from cnnstudio.gui.theme.theme import PIXELS, theme
from cnnstudio.training.preflight.lr_range import HIGHEST, LOWEST, LrRangeTest

_Y_RANGE = 1.3
"""The height of the plot, relative to the drop from the first to the lowest loss; divergence is cut off."""

_Y_AXIS_WIDTH = 52


class _RateAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """One tick per decade; the values are base-10 logarithms."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        return [(1.0, 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{10.0**value:g}" for value in values]


class LrRangePlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Loss against learning rate, with a draggable line at the chosen rate."""

    rate_chosen = Signal(object)
    """The rate to which the user moved the line."""

    def __init__(self) -> None:
        super().__init__(axisItems={"bottom": _RateAxis("bottom")})
        self.setObjectName("ratePlot")
        self.setAccessibleName("Loss against learning rate")
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # pyqtgraph draws the label of the bottom axis a few pixels too low, which clips its descenders.
        self.getPlotItem().layout.setContentsMargins(0, 8, 12, 6)
        box = self.getViewBox()
        box.setDefaultPadding(0)
        box.disableAutoRange()
        box.setRange(xRange=_log10((LOWEST, HIGHEST)), yRange=(0.0, 2.5), padding=0)
        self._range = pg.LinearRegionItem(movable=False)
        self._curve = pg.PlotCurveItem(antialias=True)
        self._line = pg.InfiniteLine(angle=90, movable=True, bounds=_log10((LOWEST, HIGHEST)))
        for depth, item in enumerate((self._range, self._curve, self._line)):
            item.setZValue(depth)
            self.addItem(item, ignoreBounds=True)
        self._line.sigPositionChanged.connect(self._on_moved)
        self.clear_test()
        self._restyle()
        theme().changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        return QSize(600, 260)

    def clear_test(self) -> None:
        """Shows only the axes."""
        self._curve.setData([], [])
        self._range.hide()
        self._line.hide()

    def show_test(self, test: LrRangeTest) -> None:
        """Shows the losses so far, and the suitable range once it is known."""
        losses = np.array(test.losses)
        self._curve.setData(np.log10(np.array(test.rates)), losses)
        first, lowest = float(losses[: max(len(losses) // 10, 1)].mean()), float(losses.min())
        top = lowest + _Y_RANGE * max(first - lowest, 0.1 * first, 1e-6)
        bottom = max(lowest - 0.1 * (top - lowest), 0.0)
        self.getViewBox().setRange(yRange=(bottom, top), padding=0)
        if test.lowest is not None and test.highest is not None:
            self._range.setRegion(_log10((test.lowest, test.highest)))
            self._range.show()

    def show_rate(self, rate: float) -> None:
        """Moves the line to a rate, without emitting `rate_chosen`."""
        self._line.blockSignals(True)
        self._line.setValue(math.log10(rate))
        self._line.blockSignals(False)
        self._line.show()

    def _on_moved(self, _: object) -> None:
        self.rate_chosen.emit(float(f"{10 ** self._line.value():.1e}"))

    def _restyle(self, _: object = None) -> None:
        colors = theme()
        self.setBackground(colors.color("panel"))
        small = QFont(colors.font("help"))
        small.setPixelSize(PIXELS["head"])
        label_style = {"color": colors.color("secondary").name(), "font-size": f"{PIXELS['help']}px"}
        for name, label in (("left", "loss"), ("bottom", "learning rate")):
            axis = self.getAxis(name)
            axis.setZValue(-1)
            axis.setStyle(tickFont=small, tickLength=0, tickTextOffset=6, maxTickLevel=0, tickAlpha=255)
            axis.setTextPen(colors.color("secondary"))
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTickPen(pg.mkPen(colors.color("grid")))
            axis.setGrid(255)
            axis.setLabel(label, **label_style)
            # Otherwise small losses would be labeled `loss (x0.001)`.
            axis.enableAutoSIPrefix(False)
        # Fixed, so that the curve does not shift when the labels get wider.
        self.getAxis("left").setWidth(_Y_AXIS_WIDTH)
        wide = 2 * self.devicePixelRatioF()
        self._curve.setPen(pg.mkPen(colors.color("training"), width=wide))
        self._line.setPen(pg.mkPen(colors.color("accent"), width=wide))
        self._line.setHoverPen(pg.mkPen(colors.color("accent"), width=2 * wide))
        self._range.setBrush(colors.color("selection"))
        for edge in self._range.lines:
            edge.setPen(QPen(Qt.PenStyle.NoPen))


def _log10(rates: tuple[float, float]) -> tuple[float, float]:
    return math.log10(rates[0]), math.log10(rates[1])
