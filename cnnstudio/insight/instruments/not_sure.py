"""Not sure: how many images are answered, and how many of those correctly, by the confidence asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.insight.confidence.judging import format_threshold
from cnnstudio.insight.confidence.temperature import HIGHEST, LOWEST, calibrated, fit_temperature
from cnnstudio.insight.drawing import bars
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Subject,
    Taking,
    labels_of,
    part_of,
)
from cnnstudio.insight.instruments.calibration import calibrate
from cnnstudio.insight.reading import Canvas, Reading, array, real, text

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

STEPS = 100
"""Thresholds are whole percents."""
_FEWER_MISTAKES = 0.5
"""What the threshold that is proposed leaves of the error rate."""
_MIN_SHARE, _MIN_ANSWERED = 0.2, 20
"""Of the images, and how many, that it still answers: of very few, the accuracy would be chance."""
_WITHOUT_MISTAKES = 0.5
"""The threshold where there are no mistakes to learn from: an answer is then more likely right than wrong."""


@dataclass(frozen=True, eq=False)
class NotSureReading(Reading):
    """Coverage and accuracy at each threshold of the calibrated confidence, in whole percents.

    An image is answered if its confidence, the highest probability at `temperature`, is at least the
    threshold. Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks.
    """

    title: ClassVar[str] = "coverage and accuracy"

    temperature: float = real(LOWEST, HIGHEST)
    """By which logits are divided before the softmax."""
    answered: npt.NDArray[np.int64] = array("int64", STEPS + 1, low=0, high=2**40)
    """How many images are answered at each threshold, from 0 to 1."""
    correct: npt.NDArray[np.int64] = array("int64", STEPS + 1, low=0, high=2**40)
    """How many of those correctly."""
    ece: float = real(0, 1)
    """The expected calibration error of the network's own scores."""
    calibrated_ece: float = real(0, 1)
    """The same of the confidences, at `temperature`."""
    images: str = text()
    """What they were counted on: `validation images`."""

    def validate(self) -> None:
        if (self.correct > self.answered).any() or (np.diff(self.answered) > 0).any() or not self.total:
            raise self._unsound("does not count its images")

    @property
    def total(self) -> int:
        """The number of images."""
        return int(self.answered[0])

    def place(self, threshold: float) -> int:
        """The index of a threshold, 0 to STEPS."""
        return min(max(round(STEPS * threshold), 0), STEPS)

    def coverage(self, threshold: float) -> float:
        """The share of the images that is answered, 0 to 1."""
        return float(self.answered[self.place(threshold)] / self.total)

    def accuracy(self, threshold: float) -> float | None:
        """The share of the answers that is correct, 0 to 1; None if nothing is answered."""
        answered = self.answered[self.place(threshold)]
        return float(self.correct[self.place(threshold)] / answered) if answered else None

    @property
    def proposed(self) -> float:
        """The lowest threshold at which answers have half the error rate that they have without one.

        Where that would leave fewer than a fifth of the images, or fewer than 20, the highest one that leaves
        so many. A fixed accuracy would be nothing to aim at for a network that is right in 60% of the cases,
        and asks nothing of one that is right in 97%.
        """
        mistakes = self.answered - self.correct
        if not mistakes[0]:
            return _WITHOUT_MISTAKES
        wanted = _FEWER_MISTAKES * mistakes[0] / self.total
        is_useful = self.answered >= max(_MIN_SHARE * self.total, min(_MIN_ANSWERED, self.total))
        is_better = is_useful & (mistakes <= wanted * self.answered)
        found = np.flatnonzero(is_better) if is_better.any() else np.flatnonzero(is_useful)[-1:]
        return int(found[0]) / STEPS

    def derived(self) -> dict[str, Any]:
        return {
            "threshold": self.proposed,
            "accuracy_of_answers": self.accuracy(self.proposed),
            "coverage": self.coverage(self.proposed),
        }

    def draw(self) -> Canvas:
        """The accuracy of the answers at each tenth, before the share that is answered."""
        return bars(
            [
                (f"from {each}%", self.accuracy(each / 100) or 0.0, self.coverage(each / 100))
                for each in range(0, 100, 10)
            ]
        )

    def summary(self) -> str:
        threshold = self.proposed
        accuracy, all_of_them = self.accuracy(threshold), self.accuracy(0.0)
        return (
            f"With “not sure” below {format_threshold(threshold)} confidence, "
            f"{format_percent(self.coverage(threshold))} of {pluralize(self.total, self.images[:-1])} are "
            f"answered, {format_percent(accuracy or 0.0)} of those correctly; without it "
            f"{format_percent(all_of_them or 0.0)}."
        )


class NotSure(Instrument):
    name = "not_sure"
    title = "Not sure"
    reading = NotSureReading
    needs = frozenset({Need.SPLIT})
    is_kept = True
    order = 10

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import probabilities

        found = yield from part_of(probabilities(model, subject), 0.0, 0.9)
        if subject.split is None or found.shape[1] != len(subject.classes):
            raise InstrumentError("The model and the images have different classes.")
        labels = labels_of(subject.split)
        temperature = yield from part_of(fit_temperature(found, labels), 0.9, 1.0)
        confidences = calibrated(found, temperature).max(1)
        is_right = found.argmax(1) == labels
        return NotSureReading(
            temperature,
            _at_least(confidences),
            _at_least(confidences[is_right]),
            calibrate(found.max(1), is_right).ece,
            calibrate(confidences, is_right).ece,
            subject.split_title,
        )


def _at_least(confidences: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """How many are at least 0, 1, 2 … 100%, int64 (STEPS + 1,)."""
    thresholds = np.arange(STEPS + 1) / STEPS
    below = np.searchsorted(np.sort(confidences.astype(np.float64)), thresholds, side="left")
    return (len(confidences) - below).astype(np.int64)
