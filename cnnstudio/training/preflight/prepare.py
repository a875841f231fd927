"""What can be known before the first batch: whether this network can learn from these images here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shown
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore, never
from cnnstudio.data.batches import WHOLE, Batches, Share
from cnnstudio.data.dataset import Dataset, Part, Rows, Split, statistics, validation_rows
from cnnstudio.data.images.resizing import resize
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.analysis.memory_estimate import FLOAT, batch_memory
from cnnstudio.design.network import Network
from cnnstudio.training.diagnosis.remedies import Remedy, in_parts
from cnnstudio.training.hardware.device import choose_device, naming_device_errors, quick_precision
from cnnstudio.training.hardware.device_memory import free_memory
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.recipe.recipe import MOST_PARTS, Recipe
from cnnstudio.training.sample_images import examples
from cnnstudio.training.train_step import part_size

_EVALUATION_BYTES = 16 * 2**20
"""Of the largest layer's output, on the CPU; an accelerator is quicker with more images at a time."""

_MORE_ON_ACCELERATORS = 16

_SHARE = 0.8
"""Of the free memory, what is reckoned with: the least that a training takes is less than what it takes."""

_UPLOADED_SHARE = 0.25
"""Of an accelerator's free memory, what one split may take; larger ones are brought to it batch by batch."""

_FIRST_IMAGES = 5_000
"""At most, for weights that are taken from images."""


class TrainingError(UserError):
    """A training that cannot be started; the message says what would have to change."""

    def __init__(self, message: str, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        """The same as something to be done by one click, where it is the recipe that would have to change."""


@dataclass(frozen=True)
class Prepared:
    """All that a training needs, checked; the images have the size that the network takes."""

    network: Network
    recipe: Recipe
    device: torch.device
    classes: tuple[str, ...]
    train: Split
    train_rows: Rows
    """The images of `train` to learn from; the others, if any, are set aside for the validation."""
    validation: Split | Part
    validation_source: Literal["share", "test"]
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the training images, a number a channel, for pixels from 0 to 1."""
    examples: Split
    """A few test images to look into the model with, of each class in turn."""
    evaluation_batch: int
    """Images at a time where nothing is learned."""
    warnings: tuple[str, ...]

    def batches(self, share: Share = WHOLE) -> Batches:
        """The images to learn from, in the recipe's batches, or this share of each."""
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
            share=share,
            uploaded=self._is_uploaded(self.train),
        )

    def unshuffled(self, images: Split | Part, share: Share = WHOLE) -> Batches:
        """Images that nothing is learned from, in large batches."""
        split, rows = (images.split, images.rows) if isinstance(images, Part) else (images, None)
        return Batches(
            split,
            self.device,
            torch.tensor(self.mean),
            torch.tensor(self.std),
            batch_size=self.evaluation_batch * share[1],
            shuffle=False,
            share=share,
            rows=rows,
            uploaded=self._is_uploaded(split),
        )

    def _is_uploaded(self, split: Split) -> bool:
        """Whether all of its images go to the device; on the CPU they are where they have to be."""
        if self.device.type == "cpu":
            return False
        free = free_memory(self.device)
        return free is None or split.images.nbytes <= _UPLOADED_SHARE * free

    def first_images(self) -> Iterator[Tensor]:
        """Normalized training images for weights that are taken from them, spread over all of them."""
        some = self.train_rows[:: math.ceil(len(self.train_rows) / _FIRST_IMAGES)]
        for images, _ in self.unshuffled(Part(self.train, some)).epoch(0):
            yield images

    def fresh_model(self) -> Model:
        """The network on the device, with weights as the random numbers stand."""
        model = build_model(self.network)
        # The stub of `to` does not know a memory format beside a device.
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
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
) -> Prepared:
    """Checks the network against data, machine and recipe, and gets the images ready; writes nothing.

    Mean and deviation are those of all training images, the share set aside for validation included, so
    that they do not depend on the seed. `check_memory=False` lets a batch pass that is too large, for those
    who look for one that is not. `progress` hears of images that are brought to the network's size.

    Raises TrainingError, DeviceError or DataError, each with one sentence; Cancelled.
    """
    chosen = choose_device(device)
    analysis = analyze(network, classes=len(dataset.classes))
    if analysis.problems:
        raise TrainingError(f"{analysis.problems[0].sentence}.")
    channels, height, width = network.input.dims
    fitted = resize(dataset, (channels, height, width), progress, cancelled)
    train_rows: Rows = np.arange(len(fitted.train))
    validation: Split | Part = fitted.test
    if recipe.validation_share:
        train_rows, aside = validation_rows(fitted.train.labels, recipe.validation_share, recipe.seed)
        validation = Part(fitted.train, aside)
    count = len(train_rows)
    if count < 2 or not len(fitted.test):
        raise TrainingError(
            f"{dataset.title} has too few images: at least 2 to train with and 1 to test with are needed, "
            f"but there are {count} and {len(fitted.test)}."
        )
    warnings = []
    if recipe.batch_size > count:
        warnings.append(
            f"The batch size of {recipe.batch_size:,} is more than the {count:,} training images, so each "
            "batch holds all of them."
        )
        recipe = recipe.replace(batch_size=count)
    if recipe.precision == "auto":
        recipe = recipe.replace(precision=quick_precision(chosen))
    _check_batch(network, recipe)
    if check_memory:
        _check_memory(analysis, recipe, chosen)
    mean, std = statistics(fitted.train)
    return Prepared(
        network=network,
        recipe=recipe,
        device=chosen,
        classes=dataset.classes,
        train=fitted.train,
        train_rows=train_rows,
        validation=validation,
        validation_source="share" if recipe.validation_share else "test",
        test=fitted.test,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        examples=examples(fitted.test),
        evaluation_batch=evaluation_batch(analysis, chosen),
        warnings=tuple(warnings),
    )


def evaluation_batch(analysis: Analysis, device: torch.device) -> int:
    """Images at a time where nothing is learned: as many as keep the largest layer's output small."""
    sizes = [
        analysis.network.input.size,
        *(report.output.size for report in analysis.reports if report.output),
    ]
    most = _EVALUATION_BYTES * (1 if device.type == "cpu" else _MORE_ON_ACCELERATORS)
    return min(max(most // (FLOAT * max(sizes)), 1), 1024)


def check_threads(threads: int | None) -> None:
    """Raises TrainingError for a number of threads that makes no sense; None leaves it to torch."""
    if threads is not None and not 1 <= threads <= 1024:
        raise TrainingError(f"threads: a whole number from 1 to 1,024 is needed, not {shown(threads)}")


def _check_batch(network: Network, recipe: Recipe) -> None:
    """BatchNormalization of flat vectors has nothing to normalize by where it sees a single image."""
    if part_size(recipe.batch_size, recipe.accumulate) > 1:
        return
    # On the meta device a model has shapes but no numbers, so this costs next to nothing.
    with torch.device("meta"):
        try:
            build_model(network)(torch.empty(1, *network.input.dims))
        except ValueError:
            raise TrainingError(
                "batch_size: BatchNormalization compares the images of a batch, so it needs at least 2."
            ) from None


def _check_memory(analysis: Analysis, recipe: Recipe, device: torch.device) -> None:
    with naming_device_errors(device):
        free = free_memory(device)
    needed = needed_memory(analysis, recipe)
    if free is None or needed <= free:
        return
    parts = _parts_that_fit(analysis, recipe, free)
    way_out = "take fewer filters or units, or smaller images"
    if parts is not None:
        way_out = f"compute each batch of {recipe.batch_size:,} in {parts:,} parts (accumulate)"
    raise TrainingError(
        f"The training needs about {needed / 1e9:,.1f} GB of memory, but {free / 1e9:,.1f} GB are free on "
        f"{device}: {way_out}.",
        in_parts(parts) if parts is not None else None,
    )


def _parts_that_fit(analysis: Analysis, recipe: Recipe, free: int) -> int | None:
    """The fewest parts of a batch, as a power of two, that leave some of the free memory to others."""
    parts = 2 * recipe.accumulate
    while parts <= min(recipe.batch_size, MOST_PARTS):
        if needed_memory(analysis, recipe.replace(accumulate=parts)) <= _SHARE * free:
            return parts
        parts *= 2
    return None


def needed_memory(analysis: Analysis, recipe: Recipe) -> int:
    """About how many bytes a training takes.

    One step, with the optimizer's one or two numbers a weight, and the best weights.
    """
    step = batch_memory(analysis, part_size(recipe.batch_size, recipe.accumulate), recipe.optimizer_slots)
    return step.total + step.weights
