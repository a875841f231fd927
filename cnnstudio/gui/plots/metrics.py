"""What can be plotted of a run, and how its numbers are written."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import format_percent, format_value
from cnnstudio.gui.runs.curves.metric_curves import MetricName


@dataclass(frozen=True)
class Metric:
    """One plot of the curves."""

    name: MetricName
    title: str
    object_name: str
    help: str
    """What it is, one sentence."""
    digits: str = ".3g"
    sample: str = "8.88"
    """A value as wide as most are."""
    has_validation: bool = False
    has_log: bool = True
    """Whether a logarithmic axis makes sense."""
    is_smoothed: bool = True
    """Whether a trend is drawn; a learning rate has no noise."""

    @property
    def is_percent(self) -> bool:
        """Whether the axis goes from 0 to 100%, and never changes."""
        return self.name == "accuracy"

    @property
    def is_better_low(self) -> bool:
        return self.name == "loss"

    def format(self, value: float) -> str:
        """The value as the legend writes it, such as `0.591`, `79.5%` or `2,410`."""
        if self.is_percent:
            return format_percent(value)
        if self.digits == ".3g" or (self.digits == ".3f" and not 0.0995 <= value < 999.5):
            return format_value(value)
        return f"{value:{self.digits}}"


METRICS = (
    Metric(
        "loss",
        "Loss",
        "lossPlot",
        "How far the network's probabilities are from the right classes; the optimizer makes it small.",
        ".3f",
        "0.888",
        has_validation=True,
    ),
    Metric(
        "accuracy",
        "Accuracy",
        "accuracyPlot",
        "The share of images whose class the network gets right.",
        sample="88.8%",
        has_validation=True,
        has_log=False,
    ),
    Metric(
        "learning_rate",
        "Learning rate",
        "learningRatePlot",
        "How far each step moves the weights; the schedule of the recipe decides it.",
        sample="0.00888",
        is_smoothed=False,
    ),
    Metric(
        "images_per_second",
        "Images per second",
        "throughputPlot",
        "How many images are trained in a second, without pauses and validation.",
        ",.0f",
        "88,888",
        has_log=False,
    ),
    Metric(
        "gradient_norm",
        "Gradient norm",
        "gradientNormPlot",
        "The length of all gradients together, before clipping; it explodes when training diverges.",
    ),
)
METRIC = {metric.name: metric for metric in METRICS}
