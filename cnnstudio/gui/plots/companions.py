"""Other runs that are drawn with the run on show: pale, or in colors of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Qt

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.plots.drawing.items import Points
from cnnstudio.gui.plots.options import RADIUS, Alignment
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves, MetricName
from cnnstudio.gui.runs.curves.overlays import Overlay
from cnnstudio.gui.runs.history import RunHistory

_PREVIOUS = ("secondary", Qt.PenStyle.SolidLine)
_LOOKS = (
    ("pooling", Qt.PenStyle.SolidLine),
    ("regularization", Qt.PenStyle.SolidLine),
    ("activation", Qt.PenStyle.SolidLine),
    ("text", Qt.PenStyle.DashLine),
    ("accent", Qt.PenStyle.DashDotLine),
)
"""Color and line of each chosen run: told apart by more than their colors."""


@dataclass(frozen=True, eq=False)
class Companion:
    """A run beside the one on show."""

    history: RunHistory
    name: str
    token: str | None
    """The color of its line; None for the colors of training and validation, both of which are drawn."""
    style: Qt.PenStyle
    factor: float = 1.0
    """How many epochs of the run on show one of its own is as long as."""
    overlay: Overlay | None = None
    width: float = 1.4

    @property
    def end(self) -> float:
        """Where its curves end, in epochs of the run on show."""
        return self.history.position * self.factor

    def validation(self, name: MetricName) -> Points:
        """Its line: validation where there is one, else the training value."""
        curves = self.history.curves[name]
        found = (curves.validation.x, curves.validation.y)
        return self._placed(found if len(curves.validation) else _training(curves))

    def training(self, name: MetricName) -> Points:
        """Its training line, if that is drawn as well."""
        return self._placed(_training(self.history.curves[name]))

    def values_at(self, name: MetricName, epoch: float) -> dict[str, float]:
        """Its values at an epoch of the run on show, infinity for its end, where both lines are drawn."""
        if self.token is not None:
            return {}
        lines = {"training": self.training(name), "validation": self.validation(name)}
        found = {}
        for key, (x, y) in lines.items():
            index = int(np.searchsorted(x, epoch + 1e-9, side="right")) - 1
            if index >= 0 and (epoch == np.inf or epoch <= self.end):
                found[key] = float(y[index])
        return found

    def _placed(self, points: Points) -> Points:
        return points[0] * self.factor, points[1].copy()

    def describe(self, epoch: float | None) -> str:
        """`70.4% at epoch 5`: its validation accuracy at an epoch of the run on show, or at its end."""
        validation = self.history.accuracy.validation
        if not len(validation):
            return "no complete epoch"
        own = np.inf if epoch is None else epoch / self.factor
        index = int(np.searchsorted(validation.x, own + 1e-9, side="right")) - 1
        if index < 0:
            return "before its first epoch"
        is_last = index == len(validation) - 1 and own > validation.x[-1]
        at = f"at epoch {validation.x[index]:,.0f}"
        return f"{format_percent(float(validation.y[index]))} {at}{', its last' if is_last else ''}"


def _training(curves: MetricCurves) -> Points:
    if len(curves.epochs) > 1 or not len(curves.steps):
        return curves.epochs.x, curves.epochs.y
    return curves.trend.curve(RADIUS["medium"])


def companions_of(overlays: Sequence[Overlay], shown: RunHistory, align: Alignment) -> list[Companion]:
    """How runs are drawn that are laid over the curves of the run on show."""
    found, number = [], 0
    for overlay in overlays:
        token, style = _PREVIOUS if overlay.is_previous else _LOOKS[number % len(_LOOKS)]
        number += not overlay.is_previous
        factor = _factor(overlay.history, shown) if align == "images" else 1.0
        found.append(Companion(overlay.history, overlay.name, token, style, factor, overlay))
    return found


def _factor(history: RunHistory, shown: RunHistory) -> float:
    """The images of an epoch, relative to those of the run on show; 1 if one of them is unknown."""
    own = history.started.train_images if history.started is not None else 0
    other = shown.started.train_images if shown.started is not None else 0
    return own / other if own and other else 1.0
