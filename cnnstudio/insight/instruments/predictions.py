"""Predictions: the scores of chosen images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.insight.drawing import bars
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Probabilities,
    Subject,
    Taking,
    When,
)
from cnnstudio.insight.reading import Canvas, Reading, array, names

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

_MAX_DRAWN = 64

UNKNOWN = -1
"""The label of an image whose class is not known, such as the user's own."""


@dataclass(frozen=True, eq=False)
class PredictionsReading(Reading):
    """The probability of each class for each of a few images."""

    title: ClassVar[str] = "list of predictions"

    classes: tuple[str, ...] = names("classes")
    probabilities: Probabilities = array("float32", "images", "classes", low=0, high=1.001)
    labels: npt.NDArray[np.int64] = array("int64", "images", low=UNKNOWN, high=2**31)
    """The class of each image, UNKNOWN where it is not known."""

    def validate(self) -> None:
        if not len(self.classes):
            raise self._unsound("has no classes")
        if len(self.labels) and self.labels.max() >= len(self.classes):
            raise self._unsound("names a class that does not exist")

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each image, int64 (images,)."""
        found: npt.NDArray[np.int64] = self.probabilities.argmax(1).astype(np.int64)
        return found

    def top(self, image: int, limit: int = 3) -> list[tuple[int, float]]:
        """(class, probability) of the likeliest classes of an image, likeliest first."""
        row = self.probabilities[image]
        return [(int(at), float(row[at])) for at in np.argsort(-row, kind="stable")[:limit]]

    def derived(self) -> dict[str, Any]:
        return {"predicted": [self.classes[each] for each in self.predicted]}

    def draw(self) -> Canvas:
        """The likeliest classes of each image, after its number."""
        return bars(
            [
                (f"{row + 1}: {self.classes[label]}", probability, None)
                for row in range(min(len(self.labels), _MAX_DRAWN))
                for label, probability in self.top(row)
            ]
        )

    def summary(self) -> str:
        count = len(self.labels)
        if not count:
            return "No images are chosen."
        predicted, confidence = int(self.predicted[0]), float(self.probabilities[0].max())
        first = f"{self.classes[predicted]} ({format_percent(confidence)})"
        if count == 1:
            known = "" if self.labels[0] == UNKNOWN else f"; actual: {self.classes[int(self.labels[0])]}"
            return f"Predicted: {first}{known}."
        labeled = self.labels != UNKNOWN
        right = int((self.predicted == self.labels)[labeled].sum())
        known = f"{right} of {int(labeled.sum())} labeled ones are correct; " if labeled.any() else ""
        return f"Predictions of {pluralize(count, 'image')}: {known}the first is predicted as {first}."


class Predictions(Instrument):
    name = "predictions"
    title = "Predictions"
    reading = PredictionsReading
    when = frozenset({When.EPOCH, When.DEMAND})
    needs = frozenset({Need.IMAGES})
    order = 7

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import image_probabilities

        found = yield from image_probabilities(model, subject)
        if found.shape[1] != len(subject.classes):
            raise InstrumentError("The model has other classes than the run.")
        labels = subject.labels
        if labels is None:
            labels = np.full(len(found), UNKNOWN, np.int64)
        return PredictionsReading(subject.classes, found, labels)
