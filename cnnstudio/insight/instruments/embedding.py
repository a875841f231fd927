"""Embedding: images as points of a plane, near each other where the model finds them similar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import Labels, Pixels
from cnnstudio.insight.drawing import scatter
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Subject,
    Taking,
    labels_of,
    pixels_of,
)
from cnnstudio.insight.reading import Canvas, Reading, array, integer, names

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

MAX_IMAGES = 2_000
"""Of more, so many are taken, of each class its share."""

_THUMBNAIL = 48
"""The longer side, in pixels; images that are smaller stay as they are."""
_MAX_THUMBNAIL_BYTES = 16 * 2**20
"""Of all thumbnails together; they are smaller where this would be exceeded."""
_MAX_NAME = 40


@dataclass(frozen=True, eq=False)
class EmbeddingReading(Reading):
    """Each image as a point: the first two principal components of its last features.

    The features are those of `insight.curation.features`, each image's of length 1. The map is turned to
    match that of the run's reference epoch, so that points keep their places from epoch to epoch as far as
    the model lets them.
    """

    title: ClassVar[str] = "embedding"

    classes: tuple[str, ...] = names("classes")
    total: int = integer()
    """The images that these were taken from."""
    index: npt.NDArray[np.int64] = array("int64", "images", low=0, high=2**40)
    """The number of each image in the split, from 0, ascending."""
    truth: npt.NDArray[np.int64] = array("int64", "images", low=0, high=2**31)
    predicted: npt.NDArray[np.int64] = array("int64", "images", low=0, high=2**31)
    confidence: npt.NDArray[np.float32] = array("float32", "images", low=0, high=1.001)
    """The probability of the predicted class."""
    points: npt.NDArray[np.float32] = array("float32", "images", 2, low=-1e6, high=1e6)
    """(x, y) of each image; y points up, and 0 is the mean of all."""
    explained: npt.NDArray[np.float64] = array("float64", 2, low=0, high=1)
    """The share of the variance of the features along each of the two components."""
    thumbnails: Pixels = array("uint8", "images", "channels", "height", "width", is_pixels=True)

    def validate(self) -> None:
        if not self.classes:
            raise self._unsound("has no classes")
        for values in (self.truth, self.predicted):
            if len(values) and values.max() >= len(self.classes):
                raise self._unsound("names a class that does not exist")
        if len(self.index) > 1 and not (np.diff(self.index) > 0).all():
            raise self._unsound("has images twice")

    @property
    def is_wrong(self) -> npt.NDArray[np.bool_]:
        """Which images are misclassified, bool (images,)."""
        wrong: npt.NDArray[np.bool_] = self.predicted != self.truth
        return wrong

    @cached_property
    def nearest_classes(self) -> tuple[int, int] | None:
        """The two classes whose images are nearest to each other on average; None if there are not two."""
        found, place = np.unique(self.truth, return_inverse=True)
        if len(found) < 2:
            return None
        count = np.bincount(place)
        centers = np.stack([np.bincount(place, self.points[:, axis]) / count for axis in (0, 1)], 1)
        distance = np.hypot(*(centers[:, None] - centers[None]).transpose(2, 0, 1))
        np.fill_diagonal(distance, np.inf)
        first, second = np.unravel_index(distance.argmin(), distance.shape)
        return int(found[first]), int(found[second])

    def derived(self) -> dict[str, Any]:
        return {"misclassified": int(self.is_wrong.sum())}

    def draw(self) -> Canvas:
        """The points in the colors of their actual classes."""
        return scatter(self.points, self.truth, self.classes)

    def summary(self) -> str:
        count = len(self.index)
        if not count:
            return "There are no images on the map."
        images = pluralize(count, "image")
        if count < self.total:
            images = f"{count:,} of {pluralize(self.total, 'image')}"
        wrong = int(self.is_wrong.sum())
        sentence = (
            f"Map of {images} by their last features, which shows {format_percent(self.explained.sum())} of "
            f"their variance; {wrong:,} {'is' if wrong == 1 else 'are'} misclassified"
        )
        nearest = self.nearest_classes
        if nearest is None:
            return f"{sentence}."
        first, second = (shorten(self.classes[each], _MAX_NAME) for each in nearest)
        return f"{sentence}, and the classes nearest to each other are {first} and {second}."


class Embedding(Instrument):
    name = "embedding"
    title = "Embedding"
    reading = EmbeddingReading
    needs = frozenset({Need.SPLIT})
    needs_probabilities = False
    is_aligned = True
    order = 8

    def __init__(self) -> None:
        self._thumbnails: Pixels | None = None

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.curation.features import describe_batch
        from cnnstudio.insight.projection import principal_plane, turned_to
        from cnnstudio.insight.slices import in_slices

        split, classes = subject.split, subject.classes
        if split is None or not len(split):
            raise InstrumentError("There are no labeled images to evaluate on.")
        labels = labels_of(split)
        rows = choose_rows(labels, MAX_IMAGES)
        described = yield from in_slices(
            len(rows),
            lambda part: describe_batch(model, pixels_of(split, rows[part]), subject.flip),
            (0.0, 0.8),
        )
        probabilities = np.concatenate([each.probabilities for each in described])
        if probabilities.shape[1] != len(classes):
            raise InstrumentError("The model and the images have different classes.")
        if not np.isfinite(probabilities).all():
            raise InstrumentError("The model's outputs are not finite, so there is nothing to show.")
        plane = principal_plane(np.concatenate([each.features for each in described]))
        try:
            while True:
                yield 0.8 + 0.1 * next(plane)
        except StopIteration as ended:
            points, explained = ended.value
        reference = subject.reference
        if isinstance(reference, EmbeddingReading) and np.array_equal(reference.index, rows):
            points = turned_to(points, reference.points)
        else:
            # The reference may change while a run goes on: its map is turned to match something that stays,
            # the classes on a circle in their order.
            points = turned_to(points, _on_circle(len(classes))[labels[rows]])
        parts = yield from in_slices(
            len(rows), lambda part: thumbnails(pixels_of(split, rows[part]), len(rows)), (0.9, 1.0)
        )
        return EmbeddingReading(
            classes,
            len(labels),
            rows.astype(np.int64),
            labels[rows].astype(np.int64),
            probabilities.argmax(1).astype(np.int64),
            probabilities.max(1),
            points,
            np.array(explained),
            self._shared(np.concatenate(parts)),
        )

    def _shared(self, found: Pixels) -> Pixels:
        """The thumbnails of the reading before, if they are the same: epochs share their memory."""
        if self._thumbnails is None or not np.array_equal(self._thumbnails, found):
            self._thumbnails = found
        return self._thumbnails


def _on_circle(count: int) -> npt.NDArray[np.float32]:
    """float32 (count, 2)."""
    angles = 2 * np.pi * np.arange(count) / max(count, 1)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def choose_rows(labels: Labels, limit: int) -> npt.NDArray[np.intp]:
    """At most `limit` rows, ascending, of each class its share: the same ones whenever it is asked.

    `labels` are int64 (N,). Classes so rare that their share is less than one image may be left out.
    """
    if len(labels) <= limit:
        return np.arange(len(labels))
    # Shuffled, then sorted by class: equal distances take of each class its share, at random.
    order = np.random.default_rng(0).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    chosen = np.linspace(0, len(order) - 1, limit).round().astype(np.intp)
    rows: npt.NDArray[np.intp] = np.sort(order[chosen])
    return rows


def thumbnails(images: Pixels, count: int) -> Pixels:
    """uint8 (n, C, h, w), one or three channels, by averaging blocks; `count` will be kept in all.

    Images of few pixels stay as they are.
    """
    images = images[:, :3] if images.shape[1] >= 3 else images[:, :1]
    channels, height, width = images.shape[1:]
    room = (_MAX_THUMBNAIL_BYTES / max(count * channels, 1)) ** 0.5
    block = int(np.ceil(max(height, width) / max(min(_THUMBNAIL, room), 1)))
    if block <= 1:
        return np.ascontiguousarray(images)
    # Where a side is no multiple of the block, the middle is kept.
    block_y, block_x = min(block, height), min(block, width)
    rows, columns = height // block_y, width // block_x
    top, left = (height - rows * block_y) // 2, (width - columns * block_x) // 2
    cut = images[:, :, top : top + rows * block_y, left : left + columns * block_x]
    blocks = cut.reshape(len(images), channels, rows, block_y, columns, block_x)
    means: Pixels = np.rint(blocks.mean(axis=(3, 5), dtype=np.float32)).astype(np.uint8)
    return means
