"""Misclassified images: the most confident mistakes, and the images that the model is least sure of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_count, format_percent, pluralize
from cnnstudio.data.dataset import Pixels
from cnnstudio.insight.drawing import mosaic
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Probabilities,
    Subject,
    Taking,
    labels_of,
    pixels_of,
)
from cnnstudio.insight.reading import Array, Canvas, Reading, array, integer, names

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

MAX_IMAGES = 48
"""Of each of the two lists."""

_MAX_PIXEL_BYTES = 8 * 2**20
"""Of each list's images; fewer are shown of large ones."""
_MAX_PROBABILITIES = 500_000
"""Values of each list's probabilities; fewer images are shown where there are very many classes."""


@dataclass(frozen=True, eq=False)
class MistakesReading(Reading):
    """Two lists of images: those predicted wrongly, most confident first, and the least certain ones.

    With a cell of the confusion matrix, or with chosen images, `mistakes` has these, correct ones included,
    and both lists have only those. `mistake_…` and `unsure_…` have one entry for each image of their list.
    """

    title: ClassVar[str] = "list of misclassified images"

    classes: tuple[str, ...] = names("classes")
    total: int = integer()
    """The images that were examined: all of the split, those of the cell, or those that were chosen."""
    mistake_count: int = integer()
    """The mistakes among all images, or the images of the cell; more than are listed if there are many."""
    mistake_index: npt.NDArray[np.int64] = array("int64", "mistakes", low=0, high=2**40)
    """The number of each image in the split, from 0."""
    mistake_truth: npt.NDArray[np.int64] = array("int64", "mistakes", low=0, high=2**31)
    mistake_predicted: npt.NDArray[np.int64] = array("int64", "mistakes", low=0, high=2**31)
    mistake_probabilities: Probabilities = array("float32", "mistakes", "classes", low=0, high=1.001)
    mistake_images: Pixels = array("uint8", "mistakes", "channels", "height", "width", is_pixels=True)
    unsure_index: npt.NDArray[np.int64] = array("int64", "unsure", low=0, high=2**40)
    unsure_truth: npt.NDArray[np.int64] = array("int64", "unsure", low=0, high=2**31)
    unsure_predicted: npt.NDArray[np.int64] = array("int64", "unsure", low=0, high=2**31)
    unsure_probabilities: Probabilities = array("float32", "unsure", "classes", low=0, high=1.001)
    unsure_images: Pixels = array("uint8", "unsure", "channels", "height", "width", is_pixels=True)

    def validate(self) -> None:
        for values in (self.mistake_truth, self.mistake_predicted, self.unsure_truth, self.unsure_predicted):
            if len(values) and values.max() >= len(self.classes):
                raise self._unsound("names a class that does not exist")

    def draw(self) -> Canvas:
        """The mistakes or, without any, the images that the model is least sure of."""
        images = self.mistake_images if len(self.mistake_images) else self.unsure_images
        tiles = images.transpose(0, 2, 3, 1)
        return mosaic(tiles if tiles.shape[3] == 3 else tiles[..., 0])

    def summary(self) -> str:
        if not self.mistake_count:
            return f"None of {pluralize(self.total, 'image')} is misclassified."
        start = f"{format_count(self.mistake_count)} of {pluralize(self.total, 'image')} are misclassified"
        if not len(self.mistake_index):
            return f"{start}."
        truth, predicted = int(self.mistake_truth[0]), int(self.mistake_predicted[0])
        confidence = format_percent(float(self.mistake_probabilities[0, predicted]))
        right = self.mistake_truth == self.mistake_predicted
        if right.all() and (self.mistake_truth == truth).all():
            return f"{pluralize(self.mistake_count, 'image')} of {self.classes[truth]} classified correctly."
        if right.any():
            return (
                f"{pluralize(len(right), 'image')} listed, {int((~right).sum()):,} of them misclassified; "
                f"the most confident prediction is {self.classes[predicted]} ({confidence})."
            )
        return (
            f"{start}; the most confident mistake takes {self.classes[truth]} for {self.classes[predicted]} "
            f"({confidence})."
        )


class Mistakes(Instrument):
    name = "mistakes"
    title = "Misclassified images"
    reading = MistakesReading
    needs = frozenset({Need.SPLIT})
    order = 5

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import probabilities

        found = yield from probabilities(model, subject)
        split = subject.split
        if split is None or found.shape[1] != len(subject.classes):
            raise InstrumentError("The model and the images have different classes.")
        labels, predicted = labels_of(split), found.argmax(1)
        if subject.rows is not None:
            rows = listed = np.array(sorted({row for row in subject.rows if 0 <= row < len(labels)}), np.intp)
        elif subject.cell is None:
            rows = np.arange(len(labels))
            listed = np.flatnonzero(predicted != labels)
        else:
            truth, taken_for = subject.cell
            rows = listed = np.flatnonzero((labels == truth) & (predicted == taken_for))
        confidence = found.max(1)
        image_bytes = pixels_of(split, slice(1)).nbytes
        limit = min(MAX_IMAGES, _MAX_PIXEL_BYTES // image_bytes, _MAX_PROBABILITIES // found.shape[1])
        limit = max(limit, 1)
        confident = listed[np.argsort(-confidence[listed], kind="stable")][:limit]
        unsure = rows[np.argsort(_margin(found[rows]), kind="stable")][:limit]

        def entries(chosen: Array) -> tuple[Array, ...]:
            return (
                chosen.astype(np.int64),
                labels[chosen],
                predicted[chosen].astype(np.int64),
                found[chosen],
                np.ascontiguousarray(pixels_of(split, chosen)),
            )

        return MistakesReading(subject.classes, len(rows), len(listed), *entries(confident), *entries(unsure))


def _margin(probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """How much likelier the first class is than the second, float32 (N,): small means unsure."""
    if probabilities.shape[1] < 2:
        return probabilities[:, 0]
    top = np.partition(probabilities, probabilities.shape[1] - 2, axis=1)[:, -2:]
    margin: npt.NDArray[np.float32] = top.max(1) - top.min(1)
    return margin
