"""Calibration: whether predictions with 80% confidence are right in 80% of the cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.insight.drawing import bars
from cnnstudio.insight.instrument import Instrument, Need, Subject, Taking, When, labels_of
from cnnstudio.insight.reading import Array, Canvas, Reading, array

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

BINS = 10


@dataclass(frozen=True, eq=False)
class CalibrationReading(Reading):
    """Predictions by confidence, in BINS bins of equal width from 0 to 1, as in a reliability diagram.

    The confidence of a prediction is the highest probability. Guo et al. 2017, On Calibration of Modern
    Neural Networks.
    """

    title: ClassVar[str] = "calibration"

    counts: npt.NDArray[np.int64] = array("int64", "bins", low=0, high=2**40)
    """The predictions in each bin; bin b has the confidences in (b / bins, (b + 1) / bins]."""
    correct: npt.NDArray[np.int64] = array("int64", "bins", low=0, high=2**40)
    """How many of them are right."""
    confidence: npt.NDArray[np.float64] = array("float64", "bins", low=0, high=1.001)
    """Their mean confidence; 0 in an empty bin."""

    def validate(self) -> None:
        if not 0 < len(self.counts) <= 1_000 or (self.correct > self.counts).any():
            raise self._unsound("does not count its predictions")

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def accuracy(self) -> npt.NDArray[np.float64]:
        """The accuracy of each bin, float64 (bins,); 0 in an empty one."""
        return self.correct / np.maximum(self.counts, 1)

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """float64 (bins + 1,), from 0 to 1."""
        return np.linspace(0, 1, len(self.counts) + 1)

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean difference of accuracy and confidence, 0 to 1."""
        return float((self.counts * np.abs(self.accuracy - self.confidence)).sum() / max(self.total, 1))

    @property
    def mean_confidence(self) -> float:
        return float((self.counts * self.confidence).sum() / max(self.total, 1))

    @property
    def mean_accuracy(self) -> float:
        return float(self.correct.sum() / max(self.total, 1))

    def bins(self) -> list[dict[str, float | int]]:
        """For JSON: one entry for each bin."""
        edges, accuracy = self.edges.tolist(), self.accuracy.tolist()
        return [
            {
                "low": edges[index],
                "high": edges[index + 1],
                "count": int(self.counts[index]),
                "confidence": float(self.confidence[index]),
                "accuracy": accuracy[index],
            }
            for index in range(len(self.counts))
        ]

    def derived(self) -> dict[str, Any]:
        return {"ece": self.ece, "bins": self.bins()}

    def draw(self) -> Canvas:
        """The accuracy of each bin over its mean confidence."""
        rows = zip(self.edges[:-1], self.edges[1:], self.accuracy, self.confidence, strict=True)
        return bars([(f"{100 * low:.0f} to {100 * high:.0f}%", *values) for low, high, *values in rows])

    def summary(self) -> str:
        if not self.total:
            return "The calibration has no images."
        difference = self.mean_confidence - self.mean_accuracy
        tendency = "well calibrated on average"
        if abs(difference) >= 0.01:
            tendency = "overconfident" if difference > 0 else "underconfident"
        return (
            f"On {pluralize(self.total, 'image')} the mean confidence is "
            f"{format_percent(self.mean_confidence)} and the accuracy {format_percent(self.mean_accuracy)}: "
            f"the model is {tendency}; the expected calibration error is {format_percent(self.ece)}."
        )


def calibrate(confidence: Array, is_correct: Array, bins: int = BINS) -> CalibrationReading:
    """`confidence` float (N,) has the highest probability of each image, `is_correct` is bool (N,)."""
    confidence = confidence.astype(np.float64)
    # Bins are open below and closed above, so that a confidence of 1 is in the last one.
    chosen = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(chosen, minlength=bins)
    correct = np.bincount(chosen[is_correct], minlength=bins)
    sums = np.bincount(chosen, confidence, bins)
    return CalibrationReading(
        counts.astype(np.int64), correct.astype(np.int64), np.clip(sums / np.maximum(counts, 1), 0, 1)
    )


class Calibration(Instrument):
    name = "calibration"
    title = "Calibration"
    reading = CalibrationReading
    when = frozenset({When.EPOCH, When.DEMAND})
    needs = frozenset({Need.SPLIT})
    order = 6

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import probabilities

        found = yield from probabilities(model, subject)
        assert subject.split is not None
        return calibrate(found.max(1), found.argmax(1) == labels_of(subject.split))
