"""What a network makes of images before its last layer, and which images it finds similar by that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import Labels, Pixels, Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.confidence.reference_images import MAX_FEATURES
from cnnstudio.training.evaluation import evaluation_mode, predict_logits
from cnnstudio.training.frozen.features import KeptFeatures
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import evaluation_batch_size

Probabilities = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]
"""float32 (N, features), each row of length 1, so that a product of two rows is their similarity."""

MAX_REFERENCES = 50_000
"""Images that others are compared with; of more, so many are taken at equal distances."""
_CHUNK = 256
"""Images that are compared at a time: 50 MB of similarities."""
_TEMPERATURE = 0.1
"""A neighbor that is less similar by so much counts 1 / e as much."""


@dataclass(frozen=True, eq=False)
class Described:
    """What a network says about images."""

    probabilities: Probabilities
    """float32 (N, classes)."""
    features: Features


def describe_images(
    model: Model,
    split: Split,
    flip: bool,
    text: str,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> Described:
    """Probabilities and last features of images of the model's input shape, at least one. Raises Cancelled.

    The features are the input of the last layer with a kernel or a matrix of weights; of images, the mean
    over their pixels. With `flip`, the probabilities are those of the average over each image and its mirror
    image.
    """
    size = evaluation_batch_size(analyze(model.network), model.device)
    probabilities, features = [], []
    for start in range(0, len(split), size):
        raise_if_cancelled(cancelled)
        found = describe_batch(model, split.images[start : start + size], flip)
        probabilities.append(found.probabilities)
        features.append(found.features)
        done = min(start + size, len(split))
        progress(Progress(done, len(split), f"{text}: {done:,} of {len(split):,} images"))
    return Described(np.concatenate(probabilities), np.concatenate(features))


def describe_batch(model: Model, images: Pixels, flip: bool) -> Described:
    """The same for images, uint8 (n, C, H, W), at once. Afterwards the model is as it was before."""
    with _last_inputs(model) as seen:
        logits = predict_logits(model, model.normalize(images), flip)
        # Of the images as they are, which come first.
        features = normalize_features(seen[0])
        return Described(logits.float().softmax(1).cpu().numpy(), features.cpu().numpy())


def last_features_of(kept: KeptFeatures, rows: npt.NDArray[np.int64]) -> Features:
    """The last features of those training images, from what the beginning of the model made of them.

    The model is that of `kept`. float32 (n, features).
    """
    model = kept.model
    with _last_inputs(model) as seen:
        given = torch.from_numpy(kept.of(rows)).reshape(len(rows), *kept.shape).to(model.device)
        if given.ndim == 4:
            given = given.contiguous(memory_format=torch.channels_last)
        kept.rest(given)
        found: Features = normalize_features(seen[0]).cpu().numpy()
        return found


@contextmanager
def _last_inputs(model: Model) -> Iterator[list[Tensor]]:
    """Inside, the model is evaluated, and the list gets what each forward pass gives its last layer."""
    seen: list[Tensor] = []
    last = model.get_submodule(last_layer(model))
    handle = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        with evaluation_mode(model):
            yield seen
    finally:
        handle.remove()


def last_layer(model: Model) -> str:
    """The name of the last module with a kernel or a matrix of weights, whose input the features are.

    Every network that can be trained has one: only such a layer gives one value per class.
    """
    names: list[str] = [
        name
        for name, module in model.named_modules()
        if isinstance(weight := getattr(module, "weight", None), Tensor) and weight.ndim >= 2
    ]
    return names[-1]


def normalize_features(values: Tensor) -> Tensor:
    """Features to compare: float (N, C) or (N, C, H, W) as float32 (N, C), each row of length 1."""
    flat = values.float().flatten(2).mean(2) if values.ndim > 2 else values.float()
    if flat.shape[1] > MAX_FEATURES:
        # Of a flattened image: means of neighbors, so that 50,000 images take 200 MB, not many GB.
        flat = nn.functional.adaptive_avg_pool1d(flat.unsqueeze(1), MAX_FEATURES).squeeze(1)
    return nn.functional.normalize(torch.nan_to_num(flat), dim=1)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The most similar reference images of some images, most similar first."""

    rows: npt.NDArray[np.int64]
    """int64 (N, k), the numbers of the references among all images that these were taken from."""
    similarities: npt.NDArray[np.float32]
    """float32 (N, k), -1 to 1."""
    votes: Probabilities
    """float32 (N, classes): the share of each class among the neighbors, weighted by similarity.

    With one more neighbor that may be of any class, so that no share is 0.
    """


def find_neighbors(
    features: Features,
    references: Features,
    labels: Labels,
    classes: int,
    count: int,
    *,
    are_references: bool,
    numbers: npt.NDArray[np.int64] | None = None,
    text: str = "Comparing images",
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> Neighbors:
    """The `count` most similar of `references`, whose classes are `labels` (M,). Raises Cancelled.

    With `are_references`, `features` are the same images, or those of them with these `numbers` (N,), and
    none is a neighbor of itself. There must be more references than `count`.
    """
    if numbers is None:
        numbers = np.arange(len(features))
    rows = np.unique(np.linspace(0, len(references) - 1, min(len(references), MAX_REFERENCES)).astype(int))
    known, known_labels = torch.from_numpy(references[rows]), torch.from_numpy(labels[rows])
    place = np.full(len(references), -1)
    place[rows] = np.arange(len(rows))
    found, similarities, votes = [], [], []
    for start in range(0, len(features), _CHUNK):
        raise_if_cancelled(cancelled)
        chunk = torch.from_numpy(features[start : start + _CHUNK])
        similar = chunk @ known.T
        if are_references:
            own = place[numbers[start : start + len(chunk)]]
            here = np.flatnonzero(own >= 0)
            similar[torch.from_numpy(here), torch.from_numpy(own[here])] = -2.0
        top, at = similar.topk(count, dim=1)
        weights = ((top - top[:, :1]) / _TEMPERATURE).exp()
        shares = torch.zeros(len(chunk), classes).scatter_add_(1, known_labels[at], weights)
        shares = shares / weights.sum(1, keepdim=True)
        votes.append(((count * shares + 1 / classes) / (count + 1)).numpy())
        found.append(rows[at.numpy()])
        similarities.append(top.clamp(-1, 1).numpy())
        done = min(start + _CHUNK, len(features))
        progress(Progress(done, len(features), f"{text}: {done:,} of {len(features):,}"))
    return Neighbors(
        np.concatenate(found).astype(np.int64), np.concatenate(similarities), np.concatenate(votes)
    )
