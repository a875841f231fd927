"""The values of the curves at a place, and what they say in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.plots.drawing.items import NO_POINTS, Points
from cnnstudio.gui.plots.metrics import Metric
from cnnstudio.gui.plots.options import RADIUS, CurveOptions
from cnnstudio.gui.runs.curves.marks import Mark
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves

_MAX_MARKS = 5
_TOLERANCE = 0.005
"""Epochs are named with two decimals: a place that is named like the end of the curve has its value."""


def is_of_epochs(curves: MetricCurves, options: CurveOptions) -> bool:
    """Whether the training line has the means of epochs: they are wanted, or there is nothing else."""
    return options.per_epoch or not len(curves.steps)


def training_line(metric: Metric, curves: MetricCurves, options: CurveOptions) -> Points:
    """The bold line; empty where the steps are shown as they are."""
    if is_of_epochs(curves, options):
        return curves.epochs.x.copy(), curves.epochs.y.copy()
    if not metric.is_smoothed or options.smoothing == "off":
        return NO_POINTS
    return curves.trend.curve(RADIUS[options.smoothing])


def training_at(curves: MetricCurves, line: Points | None, epoch: float) -> float | None:
    """The training value at an epoch, infinity for the end; None beyond the curves.

    It is that of the smoothed `line` if there is one, else that of the step; or, if `line` is None, the mean
    of the epoch.
    """
    series = curves.epochs if line is None else curves.steps
    if not len(series):
        return None
    if math.isfinite(epoch) and epoch > series.x[-1] + _TOLERANCE and epoch >= series.x[-1] + (line is None):
        return None
    if line is None:
        return None if epoch < series.x[0] else series.at(epoch)
    return float(np.interp(epoch, *line)) if len(line[0]) else series.at(epoch)


def validation_at(curves: MetricCurves, epoch: float) -> float | None:
    """The newest validation value at an epoch, infinity for the end; None before the first one."""
    series = curves.validation
    rounded = round(epoch, 2) if math.isfinite(epoch) else epoch
    if not len(series) or rounded < series.x[0]:
        return None
    end = max(series.x[-1], curves.steps.x[-1] if len(curves.steps) else 0.0)
    return None if math.isfinite(epoch) and epoch > end + _TOLERANCE else series.at(rounded)


def texts_at(
    metric: Metric, values: Mapping[str, float | None], companions: Sequence[Companion], epoch: float
) -> dict[str, str]:
    """Values as the legend shows them: `0.591`, or `0.591 / 0.640` of two runs that are compared."""
    texts = {key: metric.format(value) for key, value in values.items() if value is not None}
    for companion in companions:
        for key, value in companion.values_at(metric.name, epoch).items():
            texts[key] = f"{texts.get(key, '–')} / {metric.format(value)}"
    return texts


def summarize(metric: Metric, curves: MetricCurves, shown: str, marks: Sequence[Mark]) -> str:
    """`Loss: training went from 2.31 to 0.591; validation is best at epoch 7 with 0.640. Shown: …`."""
    x, y = curves.trend.curve() if len(curves.steps) else (curves.epochs.x, curves.epochs.y)
    if not len(x):
        return ""
    parts = [f"{metric.title}: training went from {metric.format(y[0])} to {metric.format(y[-1])}"]
    validation = curves.validation
    if len(validation):
        index = int(np.argmin(validation.y) if metric.is_better_low else np.argmax(validation.y))
        best = metric.format(float(validation.y[index]))
        parts.append(f"validation is best at epoch {validation.x[index]:,.0f} with {best}")
    flags = [f"{mark.label} at epoch {mark.epoch:.4g}" for mark in marks[-_MAX_MARKS:]]
    said = f" Marks: {', '.join(flags)}." if flags else ""
    return f"{'; '.join(parts)}. Shown: {shown}.{said}"
