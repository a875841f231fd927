"""The ranges of values that plots show."""

from __future__ import annotations

import numpy as np

from cnnstudio.gui.plots.metrics import METRIC
from cnnstudio.gui.plots.ranges import ValueRanges

Points = tuple[np.ndarray, np.ndarray]


def curve(*values: float) -> Points:
    return np.arange(len(values), dtype=float), np.array(values)


def test_a_diverged_run_before_does_not_stretch_the_axis_of_the_next_one() -> None:
    ranges = ValueRanges(METRIC["loss"])
    diverged = curve(2.3, 1e6)
    assert ranges.whole([], [diverged])[1] > 1e5
    assert ranges.whole([curve(2.3, 0.5)], [diverged])[1] < 10
