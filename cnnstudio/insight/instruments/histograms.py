"""Histograms: the weights, gradients and activations of each layer; with its dead and saturated units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_count, join_words, pluralize
from cnnstudio.insight.drawing import histograms
from cnnstudio.insight.instrument import Instrument, Need, Subject, Taking, When
from cnnstudio.insight.reading import Array, Canvas, Reading, array, names

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

BINS = 48
MAX_LAYERS = 500
_MAX_GRADIENT_IMAGES = 8
"""Gradients take three times as long as outputs; a few images show how large they are."""
_MAX_DRAWN = 40

Counts = npt.NDArray[np.int64]
Limits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HistogramsReading(Reading):
    """For each layer that has weights or an activation function, from top to bottom.

    Row i of `…_counts` counts values of layer i in bins of equal width from `…_low[i]` to `…_high[i]`; of
    large layers an even sample. It is 0 where there are no such values, as the weights of an activation.
    """

    title: ClassVar[str] = "list of histograms"

    layers: tuple[str, ...] = names("layers")
    """The ids of the layers."""
    units: Counts = array("int64", "layers", low=0, high=2**40)
    """The outputs of each layer: feature maps, or the values of a flat one."""
    dead: Counts = array("int64", "layers", low=0, high=2**40)
    """How many of them are 0 wherever they look, for all example images."""
    saturated: Counts = array("int64", "layers", low=0, high=2**40)
    """How many are nearly always at the flat end of a sigmoid or tanh, where hardly any gradient passes."""
    weight_counts: Counts = array("int64", "layers", "bins", low=0, high=2**40)
    weight_low: Limits = array("float32", "layers")
    weight_high: Limits = array("float32", "layers")
    activation_counts: Counts = array("int64", "layers", "bins", low=0, high=2**40)
    activation_low: Limits = array("float32", "layers")
    activation_high: Limits = array("float32", "layers")
    gradient_counts: Counts | None = array("int64", "layers", "bins", low=0, high=2**40, optional=True)
    """Of the loss on the example images; None if their classes are unknown."""
    gradient_low: Limits | None = array("float32", "layers", optional=True)
    gradient_high: Limits | None = array("float32", "layers", optional=True)

    def validate(self) -> None:
        if (self.dead > self.units).any() or (self.saturated > self.units).any():
            raise self._unsound("counts more dead or saturated units than there are")
        if not 0 < self.weight_counts.shape[1] <= 1_000:
            raise self._unsound("has an impossible number of bins")

    def draw(self) -> Canvas:
        """Weights, activations and gradients of each layer side by side."""
        counts = {"weights": self.weight_counts, "activations": self.activation_counts}
        if self.gradient_counts is not None:
            counts["gradients"] = self.gradient_counts
        return histograms(
            [
                [(f"{layer}: {what}", each[row]) for what, each in counts.items()]
                for row, layer in enumerate(self.layers[:_MAX_DRAWN])
            ]
        )

    def summary(self) -> str:
        if not self.layers:
            return "The model has no layers with weights or activation functions."
        parts = []
        for counts, what in ((self.dead, "dead"), (self.saturated, "saturated")):
            if counts.any():
                worst = int((counts / np.maximum(self.units, 1)).argmax())
                parts.append(
                    f"{pluralize(int(counts.sum()), 'unit')} {what}, most in {self.layers[worst]} "
                    f"({format_count(int(counts[worst]))} of {format_count(int(self.units[worst]))})"
                )
        state = join_words(parts) if parts else "no unit is dead or saturated"
        return f"{pluralize(len(self.layers), 'layer')}: {state}."


class Histograms(Instrument):
    name = "histograms"
    title = "Histograms"
    reading = HistogramsReading
    when = frozenset({When.EPOCH, When.DEMAND})
    needs = frozenset({Need.EXAMPLES})
    order = 3

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.layer_statistics import LayerStatistics
        from cnnstudio.insight.slices import in_slices, require_images

        images, labels = require_images(subject), subject.labels
        statistics = subject.statistics
        if statistics is None:
            statistics = LayerStatistics(model, MAX_LAYERS)
            yield from in_slices(len(images), lambda part: statistics.add(images[part]), (0.0, 0.5))
        if labels is not None:
            yield from in_slices(
                min(len(images), _MAX_GRADIENT_IMAGES),
                lambda part: statistics.add_gradients(images[part], labels[part]),
                (0.5, 0.9),
            )
        layers = statistics.layers
        weight = _histograms([statistics.weights(layer) for layer in layers])
        yield 1.0
        activation = _histograms([statistics.activations(layer) for layer in layers])
        gradient = None if labels is None else _histograms([statistics.gradients(layer) for layer in layers])
        return HistogramsReading(
            layers,
            *statistics.unit_counts(),
            *weight,
            *activation,
            *(gradient or (None, None, None)),
        )


def _histograms(values: Sequence[Array]) -> tuple[Counts, Limits, Limits]:
    """The counts (layers, BINS) and limits (layers,) of the finite values of each layer, float32 (n,)."""
    counts = np.zeros((len(values), BINS), np.int64)
    limits = np.zeros((2, len(values)), np.float32)
    for row, each in enumerate(values):
        finite = each[np.isfinite(each)]
        if not len(finite):
            continue
        low, high = float(finite.min()), float(finite.max())
        limits[:, row] = low, high
        span = high - low
        places = np.zeros(len(finite), np.int64)
        if 0 < span < np.inf:
            places = ((finite.astype(np.float64) - low) * (BINS / span)).astype(np.int64)
        counts[row] = np.bincount(np.minimum(places, BINS - 1), minlength=BINS)
    return counts, limits[0], limits[1]
