"""The axes of a plot: a few labels at round numbers, and ranges that grow in steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

_AXIS_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_LOG_STEPS = (1.0, 2.0, 5.0, 10.0)
_STEPS_OF_DECADES = ((1, 2, 5), (1, 3))
_MAX_DECADES = 12
_DISTANCE = {"left": 24, "bottom": 32}
"""Pixels between two labels, at least."""

OVERHANG = 8
"""Pixels to the right of the axis of epochs, in which half of its last label stands."""

Range = tuple[float, float]
TickText = tuple[QRectF, int, str]
"""Where a label stands, its alignment and its text."""


class Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Labels at round numbers, grid lines, and no line of its own."""

    def __init__(self, orientation: str, *, whole: bool = False, percent: bool = False) -> None:
        super().__init__(orientation)
        self.is_log = False
        """Whether the positions are decimal logarithms of the values."""
        self._whole = whole
        self._percent = percent
        self.setStyle(tickLength=0, tickTextOffset=6, maxTickLevel=0, tickAlpha=255)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if self.is_log:
            return [(1.0, log_ticks(low, high, max(size / _DISTANCE[self.orientation], 2)))]
        return list(super().tickValues(low, high, size))

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks, far enough apart that their labels do not touch."""
        distance = _DISTANCE[self.orientation]
        if self._whole:
            # Later epochs have longer numbers.
            distance = max(distance, 8 * len(f"{high:,.0f}") + 8)
        spacing = round_up((high - low) * distance / max(size, 1), (1.0, 2.0, 2.5, 5.0, 10.0))
        if self._whole:
            spacing = max(round_up(spacing, (1.0, 2.0, 5.0, 10.0)), 1.0)
        return [(spacing, 0.0)]

    def boundingRect(self) -> QRectF:
        # The labels at both ends extend beyond the axis; pyqtgraph would omit them.
        return QRectF(super().boundingRect()).adjusted(-14, -8, 32, 8)

    def generateDrawSpecs(self, painter: QPainter) -> tuple[Any, Any, list[TickText]] | None:
        specs: tuple[Any, Any, list[TickText]] | None = super().generateDrawSpecs(painter)
        if specs is None or self.orientation != "bottom":
            return specs
        line, ticks, texts = specs
        end = self.size().width() + OVERHANG
        return line, ticks, [(_ending_before(end, rect), flags, text) for rect, flags, text in texts]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.is_log:
            return [short_number(10.0**value) for value in values]
        if self._percent:
            return [f"{100 * value:.{_decimals(100 * spacing)}f}%" for value in values]
        if max(map(abs, values), default=0) >= 10_000 and not self._whole:
            return [short_number(value) for value in values]
        if 0 < spacing < 0.001:
            return [short_number(value) for value in values]
        return [f"{value:,.{_decimals(spacing)}f}" for value in values]


def _ending_before(end: float, rect: QRectF) -> QRectF:
    """A long label at the end of the axis is moved to the left, where it would be cut."""
    return rect.translated(min(end - rect.right(), 0.0), 0.0)


def _decimals(spacing: float) -> int:
    """How many decimals tell multiples of `spacing` apart."""
    decimals = max(0, math.ceil(-math.log10(spacing) - 1e-9)) if spacing > 0 else 0
    if decimals and not math.isclose(spacing * 10**decimals, round(spacing * 10**decimals)):
        decimals += 1
    return decimals


def short_number(value: float) -> str:
    """`0.002`, `5e-5`, `20`, `12k`, `3M`: short enough for an axis."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if limit <= abs(value) < 1e9:
            return f"{value / (1e6 if unit == 'M' else 1e3):.3g}{unit}"
    if 0 < abs(value) < 0.001 or abs(value) >= 1e9:
        return _scientific(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _scientific(value: float) -> str:
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def log_ticks(low: float, high: float, count: float) -> list[float]:
    """At most about `count` decimal logarithms of round numbers from `low` to `high`."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    steps = next((each for each in _STEPS_OF_DECADES if len(each) * (high - low) <= count), None)
    if steps is not None:
        found = [decade + math.log10(step) for decade in decades for step in steps]
    else:
        every = max(math.ceil((high - low) / count), 1)
        found = [float(decade) for decade in decades if decade % every == 0]
    return [tick for tick in found if low - 1e-9 <= tick <= high + 1e-9]


def round_up(value: float, steps: tuple[float, ...]) -> float:
    """The smallest step × power of ten that is at least `value`; `steps` increase from 1 to 10."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in steps if step * power >= value * (1 - 1e-9)), 10 * power)


def whole_range(low: float, high: float, *, log: bool) -> Range:
    """The range of an axis that shows values up to `high`, which seldom changes while the values do.

    From 0, or with `log` as decimal logarithms from a round number below `low`, the smallest value above 0.
    """
    if not log:
        return 0.0, round_up(1.08 * high, _AXIS_STEPS) if high > 0 else 1.0
    if not high > 0:
        return -3.0, 0.0
    top = math.log10(round_up(1.02 * high, _LOG_STEPS))
    # The largest round number that is not above `low`: 1 / low rounded up.
    bottom = -math.log10(round_up(1 / low, _LOG_STEPS)) if low > 0 else top - 1
    return min(max(bottom, top - _MAX_DECADES), top - 0.3), top


def union(first: Range, second: Range) -> Range:
    return min(first[0], second[0]), max(first[1], second[1])


def to_axis(values: np.ndarray, *, log: bool) -> np.ndarray:
    """Where values, float64 (N,), stand on an axis; NaN for what a logarithmic one cannot show."""
    if not log:
        return values
    shown = np.full(values.shape, np.nan)
    np.log10(values, where=values > 0, out=shown)
    return shown
