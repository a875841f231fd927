"""The range of the axis of values, which grows in steps and never shrinks during a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnstudio.gui.plots.drawing.axes import Range, to_axis, union, whole_range
from cnnstudio.gui.plots.drawing.items import Points, clip_line
from cnnstudio.gui.plots.metrics import Metric

_OTHERS_FACTOR = 2.0
"""Other runs may make the axis so many times higher than this run needs."""
_FIRST_LOSS = 2.3
"""What an untrained network of ten classes has: the axis that is shown before the first step."""
_MARGIN = 0.06


class ValueRanges:
    """The ranges of one metric of one run, as positions on its axis."""

    def __init__(self, metric: Metric, *, log: bool = False) -> None:
        self._metric = metric
        self._log = log
        self._whole: Range | None = None
        self._inside: Range | None = None

    def forget_zoom(self) -> None:
        """The next range inside a zoom may be smaller."""
        self._inside = None

    def whole(self, shown: Sequence[Points], others: Sequence[Points]) -> Range:
        """The range for whole curves, up to round numbers that seldom change."""
        if self._metric.is_percent:
            return 0.0, 1.0
        low, high = _extremes(shown)
        other_low, other_high = _extremes(others)
        if not high and other_high:
            # Not kept: the other run may have diverged, and this one has not begun.
            return whole_range(other_low, other_high, log=self._log)
        if other_high:
            high = max(high, min(other_high, _OTHERS_FACTOR * high))
        if not high:
            return whole_range(0.0, _FIRST_LOSS if self._metric.is_better_low else 0.0, log=self._log)
        found = whole_range(low, high, log=self._log)
        self._whole = found if self._whole is None else union(self._whole, found)
        return self._whole

    def inside(self, x: Range, shown: Sequence[Points], others: Sequence[Points]) -> Range:
        """The range for what is inside a range of epochs; for other runs only where this run has nothing."""
        values = self._values_inside(x, shown)
        if not len(values):
            values = self._values_inside(x, others)
        if not len(values):
            return self._inside or self._whole or (0.0, 1.0)
        low, high = float(values.min()), float(values.max())
        margin = _MARGIN * (high - low) or 0.05 * abs(high) or 0.05
        low, high = low - margin, high + margin
        if not self._log:
            low = max(low, 0.0)
        if self._metric.is_percent:
            high = min(high, 1.0)
        self._inside = (low, high) if self._inside is None else union(self._inside, (low, high))
        return self._inside

    def _values_inside(self, x: Range, lines: Sequence[Points]) -> np.ndarray:
        parts = [to_axis(clip_line(line, x)[1], log=self._log) for line in lines]
        values = np.concatenate(parts) if parts else np.empty(0)
        return np.asarray(values[np.isfinite(values)])


def _extremes(lines: Sequence[Points]) -> Range:
    """The smallest value above 0, and the largest; 0 without any."""
    values = np.concatenate([y[np.isfinite(y)] for _, y in lines]) if lines else np.empty(0)
    values = values[values > 0]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
