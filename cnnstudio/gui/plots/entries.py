"""The lines of a plot as its legend names them."""

from __future__ import annotations

from cnnstudio.gui.plots.legend import Entry
from cnnstudio.gui.plots.metrics import Metric
from cnnstudio.gui.plots.options import CurveOptions

_VALIDATION = Entry(
    "validation",
    "validation",
    ("validation", "val.", "val.", ""),
    "Measured on the validation images at the end of each epoch.",
)
_GAP = Entry(
    "gap",
    "validation",
    ("gap", "gap", "gap", ""),
    "Overfitting gap: where the network is worse on validation images than on those it trains on.",
    is_area=True,
)
_SMOOTHED = Entry(
    "training",
    "training",
    ("train (smoothed)", "train (smoothed)", "train", ""),
    "Measured on the training batches. The bold line and its value are smoothed; single steps are faint.",
)
_STEPS = Entry(
    "training",
    "training",
    ("train", ""),
    "Measured on the training batch of each step.",
)
_MEANS = Entry(
    "training",
    "training",
    ("train (mean)", "train (mean)", "train", ""),
    "The mean over the steps of each epoch, while the network learned.",
)
_VALUE = Entry("training", "training", ("value", ""), "Measured a few times a second.")


def entries_of(metric: Metric, options: CurveOptions) -> tuple[Entry, ...]:
    """The lines of a metric, from left to right."""
    smoothed = metric.is_smoothed and options.smoothing != "off"
    training = _MEANS if options.per_epoch else _SMOOTHED if smoothed else _STEPS
    if not metric.has_validation:
        return (training if metric.is_smoothed else _VALUE,)
    return (*((_GAP,) if options.gap else ()), training, _VALIDATION)
