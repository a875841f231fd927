"""The curves of one metric of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cnnstudio.gui.runs.curves.series import MAXIMUM_POINTS, Series, Trend

MetricName = Literal["loss", "accuracy", "learning_rate", "images_per_second", "gradient_norm"]

MAX_VALUE = 1e30
"""Larger ones are not drawn, as if they were infinite."""
_MEANS_PER_EPOCH = 24
"""Enough to show a change within an epoch, few enough for a smooth curve."""


class MetricCurves:
    """The training value per step, its trend and its mean per epoch, and the validation value per epoch."""

    def __init__(
        self, steps_per_epoch: int = 1, maximum: float = MAX_VALUE, points: int = MAXIMUM_POINTS
    ) -> None:
        """Values below 0, above `maximum` and NaN are skipped: no curve can show them beside others.

        Of more than `points` steps only the extremes are kept.
        """
        self._maximum = maximum
        self.steps = Series(points)
        self.trend = Trend(steps_per_epoch // _MEANS_PER_EPOCH)
        self.epochs = Series()
        self.validation = Series()

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return bool(len(self.steps) or len(self.epochs) or len(self.validation))

    def extend(self, x: np.ndarray, values: Sequence[float]) -> None:
        """Adds training values: `x` in epochs, float64 (N,), and N values."""
        shown = self._shown(values)
        self.steps.extend(x, shown)
        self.trend.extend(x, shown)

    def extend_epoch(self, epoch: float, training: float, validation: float | None = None) -> None:
        """Adds the values of an epoch, and removes those from that epoch on."""
        for series, value in ((self.epochs, training), (self.validation, validation)):
            series.truncate(epoch)
            if value is not None:
                series.extend([epoch], self._shown((value,)))

    def mean_since(self, x: float) -> float:
        """The mean of the steps after `x`; NaN without any."""
        values = self.steps.y[int(np.searchsorted(self.steps.x, x, side="right")) :]
        return float(values.mean()) if len(values) else float("nan")

    def _shown(self, values: Sequence[float]) -> np.ndarray:
        found = np.array(values, dtype=np.float64)
        return np.where((found >= 0) & (found <= self._maximum), found, np.nan)

    def truncate(self, x: float) -> None:
        """Removes everything from epoch `x` on."""
        for part in (self.steps, self.trend, self.epochs, self.validation):
            part.truncate(x)
