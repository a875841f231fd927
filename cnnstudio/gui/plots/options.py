"""What the user chose to see of the curves, and how it is remembered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cnnstudio.gui.plots.metrics import METRICS
from cnnstudio.gui.runs.curves.metric_curves import MetricName

Smoothing = Literal["off", "light", "medium", "strong"]
Alignment = Literal["epochs", "images"]

RADIUS: Mapping[Smoothing, int] = {"off": 0, "light": 1, "medium": 3, "strong": 10}
"""With how many neighbors on either side a mean of the trend is averaged."""
_SMOOTHINGS, _ALIGNMENTS = tuple(RADIUS), ("epochs", "images")


@dataclass(frozen=True)
class CurveOptions:
    """How the curves are drawn."""

    plots: tuple[MetricName, ...] = ("loss", "accuracy")
    """In the order of METRICS; at least one."""
    smoothing: Smoothing = "medium"
    per_epoch: bool = False
    """Whether the training values are the means of epochs, not those of steps."""
    log: bool = False
    """Whether the axes of values are logarithmic, but for percentages."""
    gap: bool = True
    marks: bool = True
    previous: bool = True
    align: Alignment = "epochs"
    """What other runs are aligned by."""

    def replace(self, **changes: object) -> CurveOptions:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # the caller's names

    def with_plot(self, name: MetricName, shown: bool) -> CurveOptions:
        """With or without a plot; the last one stays."""
        wanted = {*self.plots, name} if shown else {*self.plots} - {name}
        plots = tuple(metric.name for metric in METRICS if metric.name in wanted)
        return self.replace(plots=plots) if plots else self

    def to_text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> CurveOptions:
        """The options that `to_text` wrote; what is missing or not understood is as by default."""
        content: object = None
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(text)
        if not isinstance(content, dict):
            return cls()
        values: dict[str, Any] = {
            name: content[name]
            for name in ("per_epoch", "log", "gap", "marks", "previous")
            if isinstance(content.get(name), bool)
        }
        for name, allowed in (("smoothing", _SMOOTHINGS), ("align", _ALIGNMENTS)):
            if content.get(name) in allowed:
                values[name] = content[name]
        saved = content.get("plots")
        plots = tuple(each.name for each in METRICS if isinstance(saved, list) and each.name in saved)
        if plots:
            values["plots"] = plots
        return cls(**values)


DEFAULTS = CurveOptions()
