"""What to expect of few images: from a pretrained network, and from an empty one, measured on these images.

Both by cross-validation with the same five folds. Of the pretrained network, a linear probe on its features
takes the place of its last layer; the empty network is the lesson's, trained anew for each fold. Only
training images take part, so that the test images say something new later.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import DataError, Dataset, Labels, Rows, Split
from cnnstudio.data.images.resizing import resize
from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.insight.curation.expected_accuracy import Expectation, ExpectedAccuracy
from cnnstudio.insight.curation.linear_probe import FOLDS, cross_validate, standard_error, stratified_folds
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.frozen.pretrained_features import pretrained_features
from cnnstudio.training.hardware.adaptive_threads import ThreadRecord
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.trainer import train_prepared

MAX_IMAGES = 1_000
"""Of more, so many are measured, the same share of each class: it has to take less than a minute."""
_EMPTY_SECONDS = 25.0
"""For all trainings of the empty network together."""
_STEPS, _MIN_STEPS = 300, 150
"""Of each of these trainings; when the time is up, they end after the second number."""
_MAX_EPOCHS = 100
_BATCH = 32


def measure_expectations(
    dataset: Dataset,
    labels: Labels | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> ExpectedAccuracy:
    """Measures both on the training images, in less than a minute on two idle cores of a CPU.

    `labels` replace those of the training images; images with a negative one are left out. Raises DataError
    if a class has fewer than two images, PretrainedError if the weights are not installed, the other errors
    of `prepare`, and Cancelled.
    """
    found = dataset.train.labels if labels is None else labels
    rows = _choose(found, seed)
    features = _features(dataset, rows, device, progress, cancelled)
    chosen = found[rows]
    probe = cross_validate(
        features, chosen, len(dataset.classes), seed, progress=progress, cancelled=cancelled
    )
    some = _part(dataset, dataset.train.select(rows), chosen)
    empty = _train_empty(some, device, seed, progress, cancelled)
    return ExpectedAccuracy(
        *(len(rows), int((found >= 0).sum()), FOLDS),
        _expectation(probe.accuracy(chosen), len(rows)),
        _expectation(empty, len(rows)),
    )


def _expectation(accuracy: float, images: int) -> Expectation:
    return Expectation(accuracy, standard_error(accuracy, images))


def _choose(labels: Labels, seed: int) -> Rows:
    """At most MAX_IMAGES rows, ascending, of all classes in the same share. Raises DataError."""
    rows = np.flatnonzero(labels >= 0)
    counts = np.bincount(labels[rows])
    if len(counts[counts > 0]) < 2 or counts[counts > 0].min() < 2:
        raise DataError("At least two classes with two images each are needed to measure anything.")
    if len(rows) <= MAX_IMAGES:
        return rows
    random = np.random.default_rng(seed)
    share = MAX_IMAGES / len(rows)
    parts = []
    for label in np.flatnonzero(counts):
        members = random.permutation(np.flatnonzero(labels == label))
        parts.append(members[: max(round(share * len(members)), 2)])
    return np.sort(np.concatenate(parts))


def _features(
    dataset: Dataset, rows: Rows, device: str, progress: ProgressFunction, cancelled: CancelFunction
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Those of the images in `rows`: of all training images, where a following training needs them anyway."""
    part = dataset
    if len(dataset.train) > MAX_IMAGES:
        part = _part(dataset, dataset.train.select(rows), dataset.train.labels[rows])
        rows = np.arange(len(rows))
    found = pretrained_features(part, device, parts=("train",), progress=progress, cancelled=cancelled)
    return found["train"][rows]


def _part(dataset: Dataset, images: Split, labels: Labels) -> Dataset:
    """A data set with these training images."""
    train = Split(images.images, labels.astype(np.int64))
    return dataclasses.replace(dataset, train=train, validation=None, uncorrected=None)


def _train_empty(
    dataset: Dataset, device: str, seed: int, progress: ProgressFunction, cancelled: CancelFunction
) -> float:
    """The accuracy of the lesson's network on the images of folds that it was not trained on, 0 to 1."""
    network = adapt_to_classes(template("lesson-32").network, len(dataset.classes))
    channels, height, width = network.input.dims
    resized = resize(dataset, (channels, height, width), progress, cancelled)
    train, fold_of = resized.train, stratified_folds(dataset.train.labels, seed)
    end, right, seen = time.monotonic() + _EMPTY_SECONDS, 0.0, 0
    for fold in range(FOLDS):
        raise_if_cancelled(cancelled)
        progress(Progress(fold, FOLDS, f"Training an empty network: fold {fold + 1} of {FOLDS}"))
        others, own = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        if not len(own):
            continue
        part = dataclasses.replace(resized, train=train.select(others), test=train.select(own))
        seconds = (end - time.monotonic()) / (FOLDS - fold)
        accuracy = _train_fold(network, part, device, seed, seconds, cancelled)
        right, seen = right + accuracy * len(own), seen + len(own)
    progress(Progress(FOLDS, FOLDS, "Training an empty network"))
    return right / max(seen, 1)


def _train_fold(
    network: Network, dataset: Dataset, device: str, seed: int, seconds: float, cancelled: CancelFunction
) -> float:
    """The accuracy after the last epoch, 0 to 1. Raises Cancelled."""
    control, ended = Control(), list[EpochEnded]()
    deadline = time.monotonic() + seconds

    def emit(event: Event) -> None:
        if isinstance(event, EpochEnded):
            ended.append(event)
        if cancelled():
            control.request_stop()
        elif time.monotonic() > deadline and len(ended) * steps >= _MIN_STEPS:
            # Fewer would say less about the network than about what else the machine does.
            control.request_stop_after_epoch()

    steps = -(-len(dataset.train) // _BATCH)
    # A constant rate and no average: it is as good as it gets whenever the time is up.
    recipe = LESSON.replace(epochs=min(max(_STEPS // steps, 5), _MAX_EPOCHS), batch_size=_BATCH, seed=seed)
    prepared = prepare(network, dataset, recipe, device)
    train_prepared(prepared, emit=emit, control=control, adapt_threads=ThreadRecord())
    raise_if_cancelled(cancelled)
    return ended[-1].validation.accuracy if ended else 1 / len(dataset.classes)
