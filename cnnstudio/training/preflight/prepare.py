"""Prepares a training: images in the network's size, validation images, start weights and normalization."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.batches import WHOLE_BATCH, Batches, Shard
from cnnstudio.data.dataset import (
    DataError,
    Dataset,
    ResizeMode,
    Rows,
    Split,
    Subset,
    channel_statistics,
)
from cnnstudio.data.images.resizing import resize
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.analysis.memory_estimate import BYTES_PER_FLOAT
from cnnstudio.design.network import Network
from cnnstudio.training.events import Diagnosed, ValidationSource
from cnnstudio.training.hardware.device import choose_device, fastest_precision
from cnnstudio.training.hardware.device_memory import free_memory
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.checks import (
    TrainingError,
    check_batch_normalization,
    check_free_memory,
    diagnose_classes,
    final_network,
    warn_about_network,
    warn_about_resizing,
    warn_about_validation,
)
from cnnstudio.training.pretrained.catalog import pretrained
from cnnstudio.training.pretrained.metadata import Normalization
from cnnstudio.training.pretrained.random_locks import describe_random_locks
from cnnstudio.training.pretrained.start_weights import StartWeights, from_pretrained
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.sample_images import choose_sample_images

TRAINING = "training"
"""The name of the training images among the splits."""
_EVALUATION_BYTES = 16 * 2**20
"""Maximum size of the largest layer's output in an evaluation on the CPU."""
_ACCELERATOR_FACTOR = 16
"""Accelerators need more images at a time to be used fully."""

_MAX_UPLOADED_SHARE = 0.25
"""Of an accelerator's free memory, for one split. Larger splits are copied to it batch by batch."""

_MEAN = ".running_mean"
"""How the name of a batch normalization's mean ends."""

_MAX_FIRST_IMAGES = 5_000
"""For data-dependent initial weights."""


@dataclass(frozen=True)
class PreparedTraining:
    """Everything that a training needs, checked. The images have the network's input size."""

    network: Network
    recipe: Recipe
    device: torch.device
    classes: tuple[str, ...]
    train: Split
    train_rows: Rows
    """The images of `train` to train on; the others, if any, are for validation."""
    validation: Split | Subset
    validation_source: ValidationSource
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the training images, or those of pretraining: one number per channel, for pixels from 0 to 1."""
    sample_images: Split
    """A few test images for views of the model, of each class in turn."""
    evaluation_batch_size: int
    """Images per batch in evaluations."""
    warnings: tuple[str, ...]
    diagnosed: tuple[Diagnosed, ...]
    """What the images show before the first step, with something to try."""
    resize: ResizeMode = "fill"
    """How images of another shape have to be brought to the input size."""
    start_weights: StartWeights | None = None
    """The weights that fresh models start from; None for random ones."""
    fingerprint: str = ""
    """That of the images; only for a network with locked layers, whose results are kept by it."""

    @property
    def splits(self) -> dict[str, Split]:
        """The images by the name of their split."""
        found = {TRAINING: self.train, "test": self.test}
        return found if isinstance(self.validation, Subset) else {**found, "validation": self.validation}

    def batches(self, shard: Shard = WHOLE_BATCH) -> Batches:
        """The training images in the recipe's batches, or a shard of each batch."""
        recipe, count = self.recipe, len(self.train_rows)
        return Batches(
            self.train,
            self.device,
            torch.tensor(self.mean),
            torch.tensor(self.std),
            batch_size=recipe.batch_size,
            shuffle=True,
            augmentation=recipe.augmentation,
            classes=len(self.classes),
            seed=recipe.seed,
            rows=self.train_rows if count < len(self.train) else None,
            shard=shard,
            uploaded=self._is_uploaded(self.train),
        )

    def unshuffled(self, images: Split | Subset, shard: Shard = WHOLE_BATCH) -> Batches:
        """Images in their order, in batches for an evaluation, or a shard of each batch."""
        split, rows = (images.split, images.rows) if isinstance(images, Subset) else (images, None)
        return Batches(
            split,
            self.device,
            torch.tensor(self.mean),
            torch.tensor(self.std),
            batch_size=self.evaluation_batch_size * shard[1],
            shuffle=False,
            shard=shard,
            rows=rows,
            uploaded=self._is_uploaded(split),
        )

    def class_weights(self) -> Tensor | None:
        """A weight for each class, float32 (classes,) on the device; None if the recipe has none.

        N / (classes · images of the class), as scikit-learn's "balanced"; the mean over the N training images
        is 1.
        """
        if self.recipe.class_weights == "none":
            return None
        counts = np.bincount(self.train.labels[self.train_rows], minlength=len(self.classes))
        weights = len(self.train_rows) / (len(self.classes) * np.maximum(counts, 1))
        return torch.tensor(weights, dtype=torch.float32, device=self.device)

    def _is_uploaded(self, split: Split) -> bool:
        """Whether the whole split is copied to the device at once."""
        if self.device.type == "cpu":
            return False
        free = free_memory(self.device)
        return free is None or split.images.nbytes <= _MAX_UPLOADED_SHARE * free

    def first_images(self) -> Iterator[Tensor]:
        """Batches of normalized training images, float32 (n, C, H, W), for data-dependent initial weights.

        At most 5,000, evenly spread over all of them.
        """
        some = self.train_rows[:: math.ceil(len(self.train_rows) / _MAX_FIRST_IMAGES)]
        for images, _ in self.unshuffled(Subset(self.train, some)).epoch(0):
            yield images

    def fresh_model(self) -> Model:
        """The network on the device, with the start weights, else random ones from the current numbers."""
        model = build_model(self.network)
        if self.start_weights is not None:
            model.load_state_dict(self.start_weights.weights, strict=False)
            model.keep_statistics(known_statistics(self.recipe, self.start_weights.weights))
        # channels_last makes convolutions faster. The stub of `to` lacks an overload for a format alone.
        model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.set_normalization(self.mean, self.std)
        return model


def prepare(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    device: str = "auto",
    *,
    check_memory: bool = True,
    start_weights: StartWeights | None = None,
    loads_weights: bool = True,
    normalization: Normalization | None = None,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> PreparedTraining:
    """Checks the network against data, machine and recipe, and prepares the images; writes nothing.

    Mean and standard deviation are those of all training images, including the validation share, so that they
    do not depend on the seed. `check_memory=False` accepts batches that do not fit into the memory, for
    callers that look for a batch size that does. `progress` is called while images are resized.

    `start_weights` are by default the pretrained ones that the network names, unless `loads_weights` is
    False, as for a run that is resumed. `normalization` is by default that of the weights, or else the mean
    and standard deviation of the training images.

    Raises TrainingError, DeviceError, DataError or PretrainedError, each with one sentence; Cancelled.
    """
    chosen = choose_device(device)
    analysis = analyze(network, classes=len(dataset.classes))
    if analysis.problems:
        raise TrainingError(f"{analysis.problems[0].full_message}.")
    if start_weights is None and loads_weights and network.weights is not None:
        start_weights = from_pretrained(network.weights, network)
    channels, height, width = network.input.dims
    resized = resize(dataset, (channels, height, width), progress, cancelled)
    train_rows, validation, validation_source = split_validation(resized, recipe)
    count = len(train_rows)
    if count < 2 or not len(resized.test):
        raise TrainingError(
            f"{dataset.title} has too few images: at least 2 for training and 1 for testing are needed, but "
            f"it has {count} and {len(resized.test)}."
        )
    recipe, warnings = _resolve_recipe(recipe, count, chosen)
    warnings += (*warn_about_network(analysis), *warn_about_validation(len(validation), validation_source))
    warnings += tuple(warn_about_resizing(network, dataset, resized))
    if loads_weights and network.locked_ids:
        fresh = None if start_weights is None else start_weights.fresh
        at_the_end = analyze(final_network(network, recipe), classes=len(dataset.classes))
        warnings += tuple(filter(None, [describe_random_locks(at_the_end, fresh)]))
    if loads_weights or recipe.batch_norm_statistics == "batch":
        # Else only what is resumed knows which of them keep their statistics.
        names = () if start_weights is None else start_weights.weights
        check_batch_normalization(network, recipe, known_statistics(recipe, names))
    if check_memory:
        check_free_memory(analysis, recipe, chosen)
    mean, std = normalization or _normalization(network, resized, start_weights)
    return PreparedTraining(
        network=network,
        recipe=recipe,
        device=chosen,
        classes=dataset.classes,
        train=resized.train,
        train_rows=train_rows,
        validation=validation,
        validation_source=validation_source,
        test=resized.test,
        mean=mean,
        std=std,
        sample_images=choose_sample_images(resized.test),
        evaluation_batch_size=evaluation_batch_size(analysis, chosen),
        warnings=warnings,
        diagnosed=tuple(diagnose_classes(resized, train_rows, recipe, network)),
        start_weights=start_weights,
        fingerprint=dataset.pixels_fingerprint if network.locked_ids else "",
        resize=dataset.resize,
    )


def known_statistics(recipe: Recipe, weights: Collection[str]) -> frozenset[str]:
    """The names of the batch normalizations that are to keep their statistics.

    Those of which the statistics are among the names of the start weights: in a layer that starts afresh, 0
    and 1 are nothing to normalize by.
    """
    if recipe.batch_norm_statistics == "batch":
        return frozenset()
    return frozenset(name.removesuffix(_MEAN) for name in weights if name.endswith(_MEAN))


def _normalization(network: Network, dataset: Dataset, start_weights: StartWeights | None) -> Normalization:
    """That of the start weights, or else of the training images."""
    found = start_weights.normalization if start_weights is not None else None
    if found is None and network.weights is not None:
        known = pretrained(network.weights)
        found = known.mean, known.std
    if found is not None and len(found[0]) == network.input.channels:
        return found
    mean, std = channel_statistics(dataset.train)
    return tuple(map(float, mean)), tuple(map(float, std))


def split_validation(dataset: Dataset, recipe: Recipe) -> tuple[Rows, Split | Subset, ValidationSource]:
    """The rows of the training images to train on, the validation images, and where these come from.

    A data set's own validation images come before a share of the training images, and before the test set.
    """
    everything = np.arange(len(dataset.train))
    if dataset.validation is not None and len(dataset.validation):
        return everything, dataset.validation, "own"
    if not recipe.validation_share:
        return everything, dataset.test, "test"
    try:
        train_rows, rows = dataset.hold_out(recipe.validation_share, recipe.seed)
    except DataError as error:
        raise DataError(
            f"{error} To train without validation images of their own, set the validation share to 0."
        ) from None
    return train_rows, Subset(dataset.train, rows), "share"


def _resolve_recipe(recipe: Recipe, count: int, device: torch.device) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with what `count` training images and the device make of it, and warnings about that."""
    warnings = []
    if recipe.batch_size > count:
        warnings.append(
            f"The batch size of {recipe.batch_size:,} is larger than the {count:,} training images, so each "
            "batch contains all of them."
        )
        recipe = recipe.replace(batch_size=count)
    if recipe.precision == "auto":
        recipe = recipe.replace(precision=fastest_precision(device))
    return recipe, tuple(warnings)


def evaluation_batch_size(analysis: Analysis, device: torch.device) -> int:
    """Images per batch in evaluations: as many as keep the largest layer's output small."""
    sizes = [
        analysis.network.input.size,
        *(report.output.size for report in analysis.reports if report.output),
    ]
    return fitting_batch_size(max(sizes), device)


def fitting_batch_size(values: int, device: torch.device) -> int:
    """Images per batch in evaluations in which no layer gives more than so many values per image."""
    most = _EVALUATION_BYTES * (1 if device.type == "cpu" else _ACCELERATOR_FACTOR)
    return min(max(most // (BYTES_PER_FLOAT * values), 1), 1024)
