"""Confusion matrix: which classes are predicted as which; with precision, recall and F1 of each class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import clean_line, format_count, format_percent, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.insight.drawing import matrix
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, Taking, When, labels_of
from cnnstudio.insight.reading import MAX_BYTES, Array, Canvas, Reading, array, names

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

Ratios = npt.NDArray[np.float64]
"""float64 (classes,), 0 to 1; NaN where it is undefined."""

MAX_TOP_CONFUSIONS = 10
MIN_CHANGE = 0.005
"""Half a point: below it a change between two matrices is not named."""
_MAX_CHANGES, _MAX_NAME = 3, 30
MAX_CLASSES = math.isqrt(MAX_BYTES // 8)
"""Of a matrix that can be kept."""


@dataclass(frozen=True, eq=False)
class ConfusionReading(Reading):
    """`counts[i, j]` images of class i were predicted as class j."""

    title: ClassVar[str] = "confusion matrix"

    classes: tuple[str, ...] = names("classes")
    counts: npt.NDArray[np.int64] = array("int64", "classes", "classes", low=0, high=2**40)

    def validate(self) -> None:
        if not len(self.classes):
            raise self._unsound("has no classes")

    @property
    def total(self) -> int:
        """The number of images."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """0 to 1; NaN without images."""
        return int(self.counts.trace()) / self.total if self.total else math.nan

    @property
    def support(self) -> npt.NDArray[np.int64]:
        """The images of each class, int64 (classes,)."""
        found: npt.NDArray[np.int64] = self.counts.sum(axis=1)
        return found

    @property
    def precision(self) -> Ratios:
        """Of the images predicted as the class, the fraction that are of it; NaN if none was predicted so."""
        return _divide(self.counts.diagonal(), self.counts.sum(axis=0))

    @property
    def recall(self) -> Ratios:
        """Of the images of the class, the fraction predicted as it: its accuracy; NaN without images."""
        return _divide(self.counts.diagonal(), self.support)

    @property
    def f1(self) -> Ratios:
        """The harmonic mean of precision and recall; NaN if the class neither occurs nor is predicted."""
        return _divide(2 * self.counts.diagonal(), self.counts.sum(axis=0) + self.support)

    @property
    def row_fractions(self) -> npt.NDArray[np.float64]:
        """Each row divided by its sum, float64 (classes, classes); rows without images are 0."""
        return self.counts / np.maximum(self.support, 1)[:, None]

    def top_confusions(self, limit: int = MAX_TOP_CONFUSIONS) -> list[tuple[int, int, int]]:
        """(class, predicted class, number of images) of the most frequent mistakes, most frequent first."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        # Only as many as are wanted are sorted: 1,000 classes have a million pairs.
        flat = wrong.ravel()
        limit = min(limit, int(np.count_nonzero(flat)))
        if not limit:
            return []
        candidates = np.flatnonzero(flat >= np.partition(flat, len(flat) - limit)[len(flat) - limit])
        ranked = candidates[np.argsort(-flat[candidates], kind="stable")][:limit]
        return [(*map(int, divmod(int(at), len(self.classes))), int(flat[at])) for at in ranked]  # type: ignore[misc]  # a pair and a number

    def per_class(self) -> dict[str, dict[str, float | int | None]]:
        """For JSON, by class: accuracy, precision, recall, F1 and support; None where it is undefined."""
        columns = {
            "accuracy": self.recall,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }
        return {
            name: {key: _or_none(values[index]) for key, values in columns.items()}
            | {"support": int(self.support[index])}
            for index, name in enumerate(self.classes)
        }

    def derived(self) -> dict[str, Any]:
        return {
            "accuracy": _or_none(self.accuracy),
            "per_class": self.per_class(),
            "top_confusions": [
                {"class": self.classes[actual], "predicted": self.classes[predicted], "images": count}
                for actual, predicted, count in self.top_confusions()
            ],
        }

    def draw(self) -> Canvas:
        """Each row scaled to its sum: rows are the classes, columns the predictions."""
        return matrix(self.row_fractions, self.classes)

    def summary(self) -> str:
        if not self.total:
            return "The confusion matrix has no images."
        start = (
            f"{format_count(int(self.counts.trace()))} of {pluralize(self.total, 'image')} are classified "
            f"correctly ({format_percent(self.accuracy)})"
        )
        top = self.top_confusions(1)
        if not top:
            return f"{start}."
        actual, predicted, count = top[0]
        return (
            f"{start}; the most frequent mistake is {self.classes[actual]} predicted as "
            f"{self.classes[predicted]}, {pluralize(count, 'time')}."
        )


def count_confusions(labels: Array, predicted: Array, classes: int) -> npt.NDArray[np.int64]:
    """int64 (classes, classes): rows are the classes in `labels` (N,), columns those `predicted` (N,).

    Raises InstrumentError for so many classes that nothing could keep it.
    """
    _require_countable(classes)
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


class Confusion(Instrument):
    name = "confusion"
    title = "Confusion matrix"
    reading = ConfusionReading
    when = frozenset({When.EPOCH, When.DEMAND})
    needs = frozenset({Need.SPLIT})
    order = 4

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import probabilities

        _require_countable(len(subject.classes))
        found = yield from probabilities(model, subject)
        if subject.split is None or found.shape[1] != len(subject.classes):
            raise InstrumentError("The model and the images have different classes.")
        counts = count_confusions(labels_of(subject.split), found.argmax(1), found.shape[1])
        return ConfusionReading(subject.classes, counts)


def _require_countable(classes: int) -> None:
    if classes > MAX_CLASSES:
        limit, found = format_count(MAX_CLASSES), format_count(classes)
        raise InstrumentError(f"Confusions are counted for up to {limit} classes, and there are {found}.")


def _divide(part: Array, whole: Array) -> Ratios:
    """NaN where the whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Ratios = np.true_divide(part, whole)
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def describe_changes(classes: tuple[str, ...], change: npt.NDArray[np.float64]) -> list[str]:
    """The largest changes of mistakes from one run to a second one, a sentence each.

    `change` is float (classes, classes): the second run's `row_fractions` minus those of the first.
    """
    wrong = change.copy()
    np.fill_diagonal(wrong, 0.0)
    largest = np.argsort(-np.abs(wrong), axis=None, kind="stable")[:_MAX_CHANGES]
    found = []
    for at in largest:
        actual, predicted = divmod(int(at), len(classes))
        points = 100 * float(wrong[actual, predicted])
        if abs(points) >= 100 * MIN_CHANGE:
            how = "more" if points > 0 else "less"
            one, other = (shorten(clean_line(classes[each]), _MAX_NAME) for each in (actual, predicted))
            found.append(f"The second run takes {one} for {other} {how} often, by {abs(points):.1f} points.")
    return found or ["Both runs make about the same mistakes."]
