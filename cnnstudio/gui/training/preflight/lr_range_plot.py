"""The plot of a range test: the loss over the learning rate, the range that suits, and the chosen rate."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont, QPen

from cnnstudio.gui.theme.theme import PIXELS, theme
from cnnstudio.training.preflight.lr_range import HIGHEST, LOWEST, RateTest

_SHOWN = 1.3
"""How far above the loss at the beginning the plot goes: what runs away needs no room."""

_LEFT = 52


class _RateAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """One number a decade; the values are logarithms."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        return [(1.0, 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{10.0**value:g}" for value in values]


class RatePlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """The line at the chosen rate can be moved by hand."""

    chosen = Signal(object)
    """The rate that the line was moved to."""

    def __init__(self) -> None:
        super().__init__(axisItems={"bottom": _RateAxis("bottom")})
        self.setObjectName("ratePlot")
        self.setAccessibleName("Loss over the learning rate")
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.getPlotItem().layout.setContentsMargins(0, 8, 12, 0)
        box = self.getViewBox()
        box.setDefaultPadding(0)
        box.disableAutoRange()
        box.setRange(xRange=_logarithms((LOWEST, HIGHEST)), yRange=(0.0, 2.5), padding=0)
        self._range = pg.LinearRegionItem(movable=False)
        self._curve = pg.PlotCurveItem(antialias=True)
        self._line = pg.InfiniteLine(angle=90, movable=True, bounds=_logarithms((LOWEST, HIGHEST)))
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
        """Shows the axes alone."""
        self._curve.setData([], [])
        self._range.hide()
        self._line.hide()

    def show_test(self, test: RateTest) -> None:
        """The losses until now, and the range once it is known."""
        losses = np.array(test.losses)
        self._curve.setData(np.log10(np.array(test.rates)), losses)
        first, lowest = float(losses[: max(len(losses) // 10, 1)].mean()), float(losses.min())
        top = lowest + _SHOWN * max(first - lowest, 0.1 * first, 1e-6)
        bottom = max(lowest - 0.1 * (top - lowest), 0.0)
        self.getViewBox().setRange(yRange=(bottom, top), padding=0)
        if test.lowest is not None and test.highest is not None:
            self._range.setRegion(_logarithms((test.lowest, test.highest)))
            self._range.show()

    def show_rate(self, rate: float) -> None:
        """Puts the line at a rate, without a word."""
        self._line.blockSignals(True)
        self._line.setValue(math.log10(rate))
        self._line.blockSignals(False)
        self._line.show()

    def _on_moved(self, _: object) -> None:
        self.chosen.emit(float(f"{10 ** self._line.value():.1e}"))

    def _restyle(self, _: object = None) -> None:
        look = theme()
        self.setBackground(look.color("panel"))
        small = QFont(look.font("help"))
        small.setPixelSize(PIXELS["head"])
        words = {"color": look.color("secondary").name(), "font-size": f"{PIXELS['help']}px"}
        for name, label in (("left", "loss"), ("bottom", "learning rate")):
            axis = self.getAxis(name)
            axis.setZValue(-1)
            axis.setStyle(tickFont=small, tickLength=0, tickTextOffset=6, maxTickLevel=0, tickAlpha=255)
            axis.setTextPen(look.color("secondary"))
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTickPen(pg.mkPen(look.color("grid")))
            axis.setGrid(255)
            axis.setLabel(label, **words)
        # As wide as any loss needs: the curve does not jump while it is drawn.
        self.getAxis("left").setWidth(_LEFT)
        wide = 2 * self.devicePixelRatioF()
        self._curve.setPen(pg.mkPen(look.color("training"), width=wide))
        self._line.setPen(pg.mkPen(look.color("accent"), width=wide))
        self._line.setHoverPen(pg.mkPen(look.color("accent"), width=2 * wide))
        self._range.setBrush(look.color("selection"))
        for edge in self._range.lines:
            edge.setPen(QPen(Qt.PenStyle.NoPen))


def _logarithms(rates: tuple[float, float]) -> tuple[float, float]:
    return math.log10(rates[0]), math.log10(rates[1])
