"""Nearest training images: those that the network finds most similar, by what its last layer gets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.dataset import Pixels
from cnnstudio.insight.drawing import mosaic
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Subject,
    Taking,
    part_of,
    pixels_of,
)
from cnnstudio.insight.reading import Canvas, Reading, array, integer, names, real

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

_MAX_SIDE = 64
"""Of the images that are shown of them."""
_MAX_BYTES = 2**20
"""Of all of those; of many images, smaller ones are shown."""
_MIN_SIDE = 8
_MAX_NAMED = 3


@dataclass(frozen=True, eq=False)
class NearestReading(Reading):
    """The most similar training images of a few images, most similar first."""

    title: ClassVar[str] = "list of similar images"

    classes: tuple[str, ...] = names("classes")
    rows: npt.NDArray[np.int64] = array("int64", "images", "neighbors", low=0, high=2**40)
    """Their numbers among the training images of the data set, from 0."""
    labels: npt.NDArray[np.int64] = array("int64", "images", "neighbors", low=0, high=2**31)
    similarities: npt.NDArray[np.float32] = array("float32", "images", "neighbors", low=-1, high=1)
    """The cosine of the angle between the features."""
    thumbnails: Pixels = array("uint8", "images", "neighbors", "channels", "height", "width", is_pixels=True)
    """Reduced to at most 64 pixels a side."""
    limit: float = real(0, 2)
    """The distance up to which an image is like the training images; 2 if it is not known."""
    searched: int = integer()
    """The training images that were compared."""
    total: int = integer()
    """Of how many these were taken."""

    def validate(self) -> None:
        if not self.rows.shape[1] or (self.labels.size and self.labels.max() >= len(self.classes)):
            raise self._unsound("names no images or no class that exists")

    @property
    def distances(self) -> npt.NDArray[np.float32]:
        """From the training images, float32 (images,), 0 to 2: 1 minus the similarity of the last one."""
        found: npt.NDArray[np.float32] = 1 - self.similarities[:, -1]
        return found

    @property
    def is_unlike(self) -> npt.NDArray[np.bool_]:
        """Whether each image is unlike any training image, bool (images,)."""
        found: npt.NDArray[np.bool_] = self.distances > self.limit
        return found

    def describe(self, image: int, limit: int | None = None) -> str:
        """The classes of the most similar ones, in words: `all dog`, `2 dog, 1 cat`."""
        labels = self.labels[image][:limit].tolist()
        counts = {label: labels.count(label) for label in labels}
        if len(counts) == 1 and len(labels) > 1:
            return f"all {self.classes[labels[0]]}"
        ranked = sorted(counts.items(), key=lambda entry: (-entry[1], labels.index(entry[0])))
        return ", ".join(f"{count} {self.classes[label]}" for label, count in ranked[:_MAX_NAMED])

    def derived(self) -> dict[str, Any]:
        return {"distance": self.distances.tolist(), "unlike": self.is_unlike.tolist()}

    def draw(self) -> Canvas:
        """One row of the most similar training images for each image."""
        tiles = self.thumbnails.reshape(-1, *self.thumbnails.shape[2:]).transpose(0, 2, 3, 1)
        return mosaic(tiles if tiles.shape[3] == 3 else tiles[..., 0])

    def summary(self) -> str:
        count = len(self.rows)
        if not count:
            return "No images are chosen."
        if count == 1:
            unlike = " The image is unlike any training image." if self.is_unlike[0] else ""
            return f"The most similar training images: {self.describe(0)}.{unlike}"
        unlike = f"{int(self.is_unlike.sum())} of {pluralize(count, 'image')} are unlike any training image"
        return f"{unlike}; the first is most similar to: {self.describe(0)}."


class Nearest(Instrument):
    name = "nearest"
    title = "Nearest training images"
    reading = NearestReading
    needs = frozenset({Need.IMAGES, Need.TRAINING})
    order = 11

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.confidence.references import describe_training, last_features, search
        from cnnstudio.insight.slices import in_slices, require_images

        images, training = require_images(subject), subject.training
        if training is None or not len(training):
            raise InstrumentError("There are no training images to compare with.")
        references = subject.references
        if references is None:
            references = yield from part_of(describe_training(model, training), 0.0, 0.9)
        if references.labels.size and references.labels.max() >= len(subject.classes):
            raise InstrumentError("The model and the images have different classes.")
        describing = in_slices(len(images), lambda part: last_features(model, images[part]), (0.9, 0.95))
        features = np.concatenate((yield from describing))
        found = yield from part_of(search(features, references.features, references.neighbors), 0.95, 1.0)
        places = references.places[found.at]
        return NearestReading(
            subject.classes,
            references.rows[found.at],
            references.labels[found.at],
            found.similarities,
            _thumbnails(pixels_of(training, places.ravel()), places.shape),
            references.limit,
            len(references.rows),
            references.total,
        )


def _thumbnails(pixels: Pixels, shape: tuple[int, ...]) -> Pixels:
    """uint8 (images, neighbors, C, h, w) of uint8 (images × neighbors, C, H, W): means of whole squares."""
    count, channels, height, width = pixels.shape
    side = min(_MAX_SIDE, max(math.isqrt(_MAX_BYTES // max(count * channels, 1)), _MIN_SIDE))
    step = -(-max(height, width) // side)
    rows, columns = max(height // step, 1), max(width // step, 1)
    tall, wide = min(step, height), min(step, width)
    cut = pixels[:, :, : rows * tall, : columns * wide]
    small = cut.reshape(count, channels, rows, tall, columns, wide).mean(axis=(3, 5))
    found: Pixels = np.round(small).astype(np.uint8).reshape(*shape, channels, rows, columns)
    return found
