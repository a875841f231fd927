"""What a plot shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.plots.options import DEFAULTS, CurveOptions
from cnnstudio.gui.plots.values import is_of_epochs
from cnnstudio.gui.runs.curves.marks import Mark
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves, MetricName

_NO_EPOCH = "The first epoch is not complete yet"


@dataclass(frozen=True, eq=False)
class PlotContent:
    """The curves of one metric, and how they are shown."""

    curves: MetricCurves = field(default_factory=MetricCurves)
    epochs: float = 1.0
    """Where the axis ends."""
    hint: str = ""
    """What is written in the plot if there are no curves."""
    marks: tuple[Mark, ...] = ()
    companions: Sequence[Companion] = ()
    options: CurveOptions = DEFAULTS
    steps_per_epoch: float = 1.0
    position: float = 0.0
    """Where the run is, in epochs."""
    version: object = None
    """What was drawn with the same version is not drawn again."""

    def reason_for_nothing(self, name: MetricName) -> str:
        """Why there is nothing to see; empty if there is something."""
        curves = self.curves
        if any(each.history.curves[name] for each in self.companions):
            return ""
        if not curves:
            return self.hint
        has_line = not is_of_epochs(curves, self.options) or len(curves.epochs) or len(curves.validation)
        return "" if has_line else _NO_EPOCH
