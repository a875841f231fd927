"""The training images as a network sees them: their last features, and how far from them others usually are.

The distance of an image is 1 minus the cosine similarity of its last features to those of its NEIGHBORS-th
most similar training image. One that is larger than 99% of those among the training images themselves, each
compared with all others, says that the network has seen nothing like it. Sun et al. 2022, Out-of-Distribution
Detection with Deep Nearest Neighbors.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cnnstudio.data.batches import as_tensor
from cnnstudio.data.dataset import Split, Subset
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.confidence.reference_images import (
    NO_LIMIT,
    References,
    neighbor_count,
    reference_count,
)
from cnnstudio.insight.curation.features import Features, describe_batch, last_features_of
from cnnstudio.insight.instrument import labels_of, part_of, pixels_of
from cnnstudio.insight.slices import in_slices
from cnnstudio.training.frozen.features import KeptFeatures
from cnnstudio.training.model import Model

USUAL = 0.99
"""The share of the training images that are within the limit."""
_SAMPLE = 1_000
"""Training images whose distance from the others is measured: ten of them are above the limit."""
_BLOCK_MACS = 40_000_000
"""Of one slice of a search."""
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Found:
    """The most similar references of some images, most similar first."""

    at: npt.NDArray[np.int64]
    """int64 (N, k), indices of references."""
    similarities: npt.NDArray[np.float32]
    """float32 (N, k), -1 to 1."""


def choose_references(training: Split | Subset, macs: int) -> npt.NDArray[np.int64]:
    """Which training images to describe: all, or so many at equal distances; `macs` are those of an image."""
    count = reference_count(len(training), macs)
    return np.unique(np.linspace(0, len(training) - 1, count).astype(np.int64))


class Description:
    """Last features of images, which remembers how far it has come: its slices may stop and go on later."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0
        self._features: Features | None = None

    def describe(
        self,
        model: Model,
        images: Split | Subset,
        rows: npt.NDArray[np.int64],
        kept: KeptFeatures | None = None,
    ) -> Describing:
        """The features of these images of the model's input shape, float32 (N, values), in slices.

        `kept` is what the locked beginning of the model makes of all images of the split, if that is known.
        """

        def work(part: slice) -> None:
            first = self._done
            chosen = rows[first : first + part.stop - part.start]
            if kept is None:
                found = last_features(model, np.ascontiguousarray(pixels_of(images, chosen)))
            else:
                found = last_features_of(kept, images.rows[chosen] if isinstance(images, Subset) else chosen)
            if self._features is None:
                self._features = np.empty((self._count, found.shape[1]), np.float32)
            self._features[first : first + len(found)] = found
            self._done += len(found)

        already = self._done / max(self._count, 1)
        yield from in_slices(self._count - self._done, work, (already, 1.0))
        assert self._features is not None, "there is at least one image"
        return self._features


Describing = Generator[float, None, Features]


def last_features(model: Model, pixels: npt.NDArray[np.uint8]) -> Features:
    """What the model's last layer gets for uint8 (n, C, H, W), float32 (n, values), rows of length 1."""
    return describe_batch(model, pixels, False).features


def usual_distance(features: Features) -> Generator[float, None, float]:
    """The distance that USUAL of these images have from the others, each without itself.

    NO_LIMIT of fewer than three, for which all distances are chance.
    """
    if len(features) < 3:
        return NO_LIMIT
    sample = np.unique(np.linspace(0, len(features) - 1, min(len(features), _SAMPLE)).astype(np.int64))
    found = yield from search(features[sample], features, neighbor_count(len(features)), own=sample)
    return float(np.quantile(1 - found.similarities[:, -1], USUAL))


def search(
    features: Features, references: Features, count: int, own: npt.NDArray[np.int64] | None = None
) -> Generator[float, None, Found]:
    """The `count` most similar references of each image, in slices; yields the fraction done.

    `own` (N,) are the images' own places among the references, which are not found. Only a block of the
    references is in memory at a time, and the similarities of a few images to it.
    """
    at, similarities = [], []
    for start in range(0, len(features), _CHUNK):
        queries = as_tensor(np.ascontiguousarray(features[start : start + _CHUNK]))
        here = None if own is None else torch.from_numpy(own[start : start + _CHUNK])
        block = max(_BLOCK_MACS // (len(queries) * features.shape[1]), 256)
        best = torch.full((len(queries), 0), 0.0)
        places = torch.zeros(len(queries), 0, dtype=torch.int64)
        for first in range(0, len(references), block):
            part = as_tensor(references[first : first + block])
            similar = queries @ part.T
            if here is not None:
                inside = torch.nonzero((here >= first) & (here < first + len(part))).flatten()
                similar[inside, here[inside] - first] = -3.0
            top, index = similar.topk(min(count, len(part)), dim=1)
            best, places = torch.cat([best, top], 1), torch.cat([places, index + first], 1)
            best, order = best.topk(min(count, best.shape[1]), dim=1)
            places = places.gather(1, order)
            yield (start + len(queries) * min(first + block, len(references)) / len(references)) / len(
                features
            )
        at.append(places.numpy())
        similarities.append(best.clamp(-1, 1).numpy())
    return Found(np.concatenate(at), np.concatenate(similarities))


def references_of(
    training: Split | Subset, places: npt.NDArray[np.int64], features: Features, limit: float
) -> References:
    """The references, from what was computed of them; `places` are those of `choose_references`."""
    rows = training.rows[places] if isinstance(training, Subset) else places
    labels = labels_of(training)[places]
    return References(features, places, rows.astype(np.int64), labels, limit, len(training))


def describe_training(
    model: Model, training: Split | Subset, description: Description | None = None
) -> Generator[float, None, References]:
    """The references of a model, in slices; `description` may have some of the features already."""
    places = choose_references(training, analyze(model.network).macs)
    describing = (description or Description(len(places))).describe(model, training, places)
    features = yield from part_of(describing, 0.0, 0.9)
    limit = yield from part_of(usual_distance(features), 0.9, 1.0)
    return references_of(training, places, features, limit)
