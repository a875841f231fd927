"""Checks and warnings before the first batch: whether a training can start, and what its figures are worth.

A training that cannot start should fail here, with a sentence and where possible a remedy, and not with an
exception of torch in the middle of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import torch

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import describe_value
from cnnstudio.data.class_sizes import describe_unequal_sizes
from cnnstudio.data.dataset import Dataset, Rows, has_colors
from cnnstudio.design.advice.advice import advise
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.analysis.memory_estimate import estimate_memory
from cnnstudio.design.edits import set_trainable
from cnnstudio.design.network import Network
from cnnstudio.design.small_images import loses_details
from cnnstudio.layers.base import Shape
from cnnstudio.training.diagnosis.remedies import Remedy, advice, split_batches
from cnnstudio.training.events import Diagnosed, ValidationSource
from cnnstudio.training.hardware.device import translate_device_errors
from cnnstudio.training.hardware.device_memory import free_memory
from cnnstudio.training.hardware.thread_policy import MAX_THREADS
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import MAX_ACCUMULATE, Recipe
from cnnstudio.training.train_step import micro_batch_size

_USABLE_SHARE = 0.8
"""Of the free memory, for the remedy that is offered: a training takes more than the estimate."""

_MIN_VALIDATION_IMAGES = 30
_FROM: Mapping[ValidationSource, str] = MappingProxyType(
    {"own": "", "share": ", held out from the training images", "test": ", which are the test images"}
)
_ALL_IMAGES = (
    " With a validation share of 0, all training images are trained on, and the best epoch is chosen on the "
    "test images."
)


class TrainingError(UserError):
    """A training that cannot start; the message says what to change."""

    def __init__(self, message: str, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        """The same as a one-click change, if it is the recipe that has to change."""


def validate_threads(threads: int | None) -> None:
    """Raises TrainingError for an invalid number of threads; None, torch's default, is valid."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise TrainingError(
            f"threads: must be an integer from 1 to {MAX_THREADS:,}, got {describe_value(threads)}"
        )


def final_network(network: Network, recipe: Recipe) -> Network:
    """The network with the locks that it has in the last epochs: a second stage unlocks the last layers."""
    if not recipe.unlocks or not network.locked_ids:
        return network
    with torch.random.fork_rng(devices=()), torch.device("meta"):
        nodes = build_model(network).last_locked(recipe.unlock_groups)
    return set_trainable(network, [node.id for node in nodes], True)


def check_batch_normalization(network: Network, recipe: Recipe, kept: Collection[str]) -> None:
    """Raises TrainingError if a BatchNormalization of flat vectors would see a single image at a time.

    Those with one of the names in `kept`, and locked ones, do not look at the batch.
    """
    if micro_batch_size(recipe.batch_size, recipe.accumulate) > 1:
        return
    # torch raises ValueError for this. On the meta device tensors have no values, so it costs very little.
    with torch.random.fork_rng(devices=()), torch.device("meta"):
        model = build_model(final_network(network, recipe))
        model.keep_statistics(kept)
        try:
            model(torch.empty(1, *network.input.dims))
        except ValueError:
            raise TrainingError(
                "batch_size: must be at least 2, because BatchNormalization compares the images of a batch."
            ) from None


def check_free_memory(analysis: Analysis, recipe: Recipe, device: torch.device) -> None:
    """Raises TrainingError, with a remedy if there is one, for a training that cannot fit."""
    with translate_device_errors(device):
        free = free_memory(device)
    needed = required_memory(analysis, recipe)
    if free is None or needed <= free:
        return
    parts = _fitting_accumulate(analysis, recipe, free)
    suggestion = "use fewer filters or units, or smaller images"
    if parts is not None:
        suggestion = f"split each batch of {recipe.batch_size:,} into {parts:,} (gradient accumulation)"
    where = "this computer" if device.type == "cpu" else str(device)
    raise TrainingError(
        f"The training needs about {needed / 1e9:,.1f} GB of memory, but {free / 1e9:,.1f} GB are free on "
        f"{where}: {suggestion}.",
        split_batches(parts) if parts is not None else None,
    )


def _fitting_accumulate(analysis: Analysis, recipe: Recipe, free: int) -> int | None:
    """The smallest `accumulate`, by doubling the recipe's, that fits into the usable memory; or None."""
    parts = 2 * recipe.accumulate
    while parts <= min(recipe.batch_size, MAX_ACCUMULATE):
        if required_memory(analysis, recipe.replace(accumulate=parts)) <= _USABLE_SHARE * free:
            return parts
        parts *= 2
    return None


def required_memory(analysis: Analysis, recipe: Recipe) -> int:
    """An estimate of the bytes that a training takes; usually too low.

    It counts the activations and gradients of one step, the weights with the optimizer's state, and the copy
    of the best weights. It leaves out torch itself and the workspace of its kernels.
    """
    step = estimate_memory(
        analysis, micro_batch_size(recipe.batch_size, recipe.accumulate), recipe.optimizer_slots
    )
    return step.total + step.weights


def warn_about_network(analysis: Analysis) -> Iterator[str]:
    """The advice about a softmax that is applied twice: such a network trains, but badly."""
    for each in advise(analysis):
        if each.key.startswith("softmax-twice"):
            yield f"{each.full_message}. {each.why}"


def warn_about_validation(count: int, source: ValidationSource) -> Iterator[str]:
    """What so few images cannot say, and how to train on all of them."""
    if count < _MIN_VALIDATION_IMAGES:
        yield (
            f"Only {pluralize(count, 'validation image')}{_FROM[source]}: a single one changes the "
            f"validation accuracy by {100 / count:.0f} points, so small differences mean nothing."
            f"{_ALL_IMAGES if source == 'share' else ''}"
        )


def warn_about_resizing(network: Network, dataset: Dataset, resized: Dataset) -> Iterator[str]:
    """What one has to know about these images before trusting the figures of a run on them."""
    if loses_details(network, Shape.of(*dataset.shape)):
        own, taken = (f"{shape[2]} × {shape[1]}" for shape in (dataset.shape, resized.shape))
        yield (
            f"The images of {dataset.title} are {own}, but they are resized to {taken} before the first "
            "layer of the network enlarges them, which loses details: adapt the network to the data set."
        )
    if resized.shape[0] < dataset.shape[0] and has_colors(dataset.train):
        yield (
            f"The images of {dataset.title} are in color, but the network takes gray ones: the colors are "
            "dropped. Set the input's channels to 3 to keep them."
        )


def diagnose_classes(dataset: Dataset, rows: Rows, recipe: Recipe, network: Network) -> Iterator[Diagnosed]:
    """Whether the classes of the training images are far apart in size, unless the recipe balances them."""
    if recipe.class_weights == "none":
        counts = np.bincount(dataset.train.labels[rows], minlength=len(dataset.classes)).tolist()
        unequal = describe_unequal_sizes(dict(zip(dataset.classes, counts, strict=True)))
        if unequal:
            to_try = advice("class_sizes", recipe, network)
            yield Diagnosed("class_sizes", 0.0, f"{unequal}.", to_try)
