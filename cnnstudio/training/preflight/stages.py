"""The stages of a training, and what they cost: measured as they will be trained.

What a locked beginning of the network gives is computed once for each image, and a recipe may unlock layers
in the middle of the run, so that a step of the whole network says little about how long a training takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnstudio.core.progress import CancelFunction, ignore_progress, never_cancelled, raise_if_cancelled
from cnnstudio.design.network import Network
from cnnstudio.training.frozen.features import FrozenFeatures
from cnnstudio.training.frozen.store import NotKept, require_room
from cnnstudio.training.preflight.checks import final_network
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.recipe.recipe import Recipe

_FEATURE_SECONDS = 0.3
"""Minimum time in which the locked beginning is measured."""


@dataclass(frozen=True)
class Stage:
    """Epochs in which the same layers learn."""

    network: Network
    """With the locks of these epochs."""
    epochs: int

    def of(self, prepared: PreparedTraining) -> PreparedTraining:
        """The training with the locks of this stage from its first step on."""
        return dataclasses.replace(prepared, network=self.network)


def training_stages(network: Network, recipe: Recipe) -> tuple[Stage, ...]:
    """One stage, or two if the recipe unlocks layers; more layers learn in the second."""
    if not recipe.unlocks or not network.locked_ids:
        return (Stage(network, recipe.epochs),)
    first = Stage(network, recipe.unlock_after)
    return first, Stage(final_network(network, recipe), recipe.epochs - recipe.unlock_after)


@dataclass(frozen=True)
class StageCost:
    """What a stage takes."""

    epochs: int
    seconds_before: float
    """To compute the locked beginning, once; 0 if there is none, or if its results are kept already."""
    seconds_per_epoch: float
    """Including the validation."""

    @property
    def seconds(self) -> float:
        """For all its epochs."""
        return self.seconds_before + self.epochs * self.seconds_per_epoch


@dataclass(frozen=True)
class Trial:
    """What is measured of a stage."""

    prepared: PreparedTraining
    features: FrozenFeatures | None
    """In place of images, as in the training; None if each step needs the images."""

    @classmethod
    def of(cls, prepared: PreparedTraining, images: int | None = None) -> Trial:
        """`images` is the number of training images if it is not that of `prepared`."""
        with contextlib.suppress(NotKept):
            features = FrozenFeatures.of(prepared, prepared.fresh_model(), ignore_progress, never_cancelled)
            if features is not None and images is not None:
                require_room(features.size * images // len(prepared.train))
            return cls(prepared, features)
        return cls(prepared, None)

    def has_small_steps(self, size: int) -> bool:
        """Whether a step of so many images is too small to be shared between threads of the CPU."""
        is_on_cpu = self.prepared.device.type == "cpu"
        return is_on_cpu and self.features is not None and self.features.are_steps_small(size)

    def count_missing(self, *, with_test: bool) -> int:
        """How many images the locked beginning has yet to compute before the first step."""
        return 0 if self.features is None else self.features.count_missing(with_test=with_test)

    def seconds_per_feature(self, size: int, cancelled: CancelFunction) -> float:
        """For what the locked beginning computes of an image once, measured with `size` images at a time.

        0 if it is not computed before. Raises Cancelled.
        """
        if self.features is None:
            return 0.0
        pixels = torch.randn(size, *self.prepared.network.input.dims, device=self.prepared.device)
        # The first time, memory is allocated that is used again. `item` waits for an accelerator.
        self.features.compute(pixels).sum().item()
        began, done = time.perf_counter(), 0
        while not done or time.perf_counter() - began < _FEATURE_SECONDS:
            raise_if_cancelled(cancelled)
            self.features.compute(pixels).sum().item()
            done += size
        return (time.perf_counter() - began) / done

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches of so many training images, or of random features in their place, with labels."""
        if self.features is not None:
            yield from itertools.repeat(self._random_features(size, self.features.shape))
        recipe = self.prepared.recipe.replace(batch_size=size, accumulate=1)
        batches = dataclasses.replace(self.prepared, recipe=recipe).batches()
        for epoch in itertools.count(1):
            yield from batches.epoch(epoch)

    def evaluation(self) -> tuple[nn.Module, Iterator[tuple[Tensor, Tensor]], bool]:
        """A model, what it is evaluated on, and whether each image is to be mirrored too."""
        prepared, flips = self.prepared, self.prepared.recipe.test_time_flip
        if self.features is not None:
            size = min(self.features.evaluation_batch_size, len(prepared.validation))
            shape = (2, *self.features.shape) if flips else self.features.shape
            return self.features.evaluated, itertools.repeat(self._random_features(size, shape)), False
        return prepared.fresh_model(), prepared.unshuffled(prepared.validation).epoch(0), flips

    def _random_features(self, size: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """float32 (size, *shape), as the rest of the network takes them, and labels, int64 (size,)."""
        device = self.prepared.device
        features = torch.randn(size, *shape, device=device)
        if features.ndim == 4:
            features = features.contiguous(memory_format=torch.channels_last)
        return features, torch.arange(size, device=device) % len(self.prepared.classes)
