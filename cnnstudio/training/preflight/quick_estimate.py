"""About how long a training takes, from a few steps on random images: quick enough to be known beforehand.

Unlike `profiling` it loads no data set: the time of a step does not depend on what the images show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnstudio.core.formatting import estimate_duration
from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.training.frozen.features import can_use_features
from cnnstudio.training.frozen.frozen_part import frozen_length
from cnnstudio.training.hardware.device_memory import is_out_of_memory, release_memory, retain_freed_memory
from cnnstudio.training.hardware.torch_state import torch_settings
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import measure_speed
from cnnstudio.training.preflight.stages import StageCost, Trial, training_stages
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import micro_batch_size

_MAX_MACS = 10**10
"""Multiply-adds in the forward pass of a measured batch: a step must not keep others waiting for long."""
_MAX_BYTES = 64 * 2**20
"""Of the random images."""
_FORWARD_SHARE = 1 / 3
"""Of a training step's time, that of the forward pass, which is all that a validation needs.

Where most layers are locked, and still computed in every step, it is nearly all of the step.
"""


@dataclass(frozen=True)
class QuickEstimate:
    """What is known without loading the images."""

    seconds: float
    """For all epochs."""

    @property
    def summary(self) -> str:
        return estimate_duration(self.seconds)


def quick_estimate(
    network: Network,
    images: int,
    classes: int,
    recipe: Recipe,
    device: str = "auto",
    cancelled: CancelFunction = never_cancelled,
) -> QuickEstimate | None:
    """Measures for about half a second; None for batches too large to be tried by the way.

    `images` is the number of training images, including those for validation. Raises what `prepare` raises.
    """
    found = quick_estimates(network, images, classes, [recipe], device, cancelled)
    return None if found is None else found[0]


def quick_estimates(
    network: Network,
    images: int,
    classes: int,
    recipes: Sequence[Recipe],
    device: str = "auto",
    cancelled: CancelFunction = never_cancelled,
) -> list[QuickEstimate] | None:
    """As `quick_estimate`, for several recipes, of which the first one's batches are measured."""
    recipe = recipes[0]
    macs = max(analyze(network, classes=classes).macs, 1)
    size = min(micro_batch_size(recipe.batch_size, recipe.accumulate), max(_MAX_MACS // macs, 1), images)
    count = 4 * max(size, classes)
    if count * network.input.size > _MAX_BYTES:
        return None
    random = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int64) % classes
    split = Split(random.integers(0, 256, (count, *network.input.dims), dtype=np.uint8), labels)
    # Few test images: they are nothing that a training waits for.
    few = Split(split.images[:classes], labels[:classes])
    dataset = Dataset("random", "Random", tuple(map(str, range(classes))), split, few)
    costs: dict[tuple[Network, bool], _Costs] = {}
    for each in recipes:
        for stage in training_stages(network, each):
            key = stage.network, can_use_features(each)
            if key not in costs:
                tried = each.replace(batch_size=size, accumulate=1)
                found = _measure(prepare(stage.network, dataset, tried, device), size, images, cancelled)
                if found is None:
                    return None
                costs[key] = found
    return [QuickEstimate(_rounded(_seconds(network, each, images, costs))) for each in recipes]


@dataclass(frozen=True)
class _Costs:
    """Seconds for an image."""

    feature: float
    """To compute the locked beginning once; 0 if it is computed in every step."""
    step: float
    validation: float


def _seconds(
    network: Network, recipe: Recipe, images: int, costs: Mapping[tuple[Network, bool], _Costs]
) -> float:
    """For all epochs."""
    validated = images * recipe.validation_share
    total = 0.0
    for stage in training_stages(network, recipe):
        cost = costs[stage.network, can_use_features(recipe)]
        computed = max(recipe.feature_copies, 1) * images + (1 + recipe.test_time_flip) * validated
        epoch = cost.step * (images - validated) + cost.validation * validated
        total += StageCost(stage.epochs, cost.feature * computed, epoch).seconds
    return total


def _rounded(seconds: float) -> float:
    """To two digits: what few steps say is not more exact."""
    return float(f"{seconds:.2g}")


def _measure(prepared: PreparedTraining, size: int, images: int, cancelled: CancelFunction) -> _Costs | None:
    """What an image costs in a training of so many; None if the memory ran out, which is released then."""
    try:
        with (
            torch_settings(prepared.device, None, prepared.recipe.seed),
            retain_freed_memory(prepared.device),
        ):
            trial = Trial.of(prepared, images)
            feature = trial.seconds_per_feature(size, cancelled)
            step = 1 / measure_speed(trial, size, cancelled)
            is_mostly_forward = trial.features is None and bool(frozen_length(prepared.fresh_model()))
            return _Costs(feature, step, step * (1 if is_mostly_forward else _FORWARD_SHARE))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    release_memory(prepared.device)
    return None
