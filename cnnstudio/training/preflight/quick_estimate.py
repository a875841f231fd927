"""About how long a training takes, from a few steps on random images: quick enough to be known beforehand.

Unlike `profiling` it loads no data set: the time of a step does not depend on what the images show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnstudio.core.formatting import format_duration
from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.training.frozen.features import can_use_features
from cnnstudio.training.frozen.frozen_part import frozen_length
from cnnstudio.training.hardware.device_memory import is_out_of_memory, release_memory, retain_freed_memory
from cnnstudio.training.hardware.torch_state import torch_settings
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.checks import final_network
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import measure_speed
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import micro_batch_size

_MAX_MACS = 10**10
"""Multiply-adds in the forward pass of a measured batch: a step must not keep others waiting for long."""
_MAX_BYTES = 64 * 2**20
"""Of the random images."""
_FORWARD_SHARE = 1 / 3
"""Of a training step's time, that of the forward pass, which is all that a validation needs."""


@dataclass(frozen=True)
class QuickEstimate:
    """What is known without loading the images."""

    seconds: float
    """For all epochs."""

    @property
    def summary(self) -> str:
        return f"about {format_duration(self.seconds)}"


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
    dataset = Dataset("random", "Random", tuple(map(str, range(classes))), split, split)
    stages: dict[Network, _Stage] = {}
    for each in dict.fromkeys(stage for recipe in recipes for stage, _ in _stages(network, recipe)):
        prepared = prepare(each, dataset, recipe.replace(batch_size=size, accumulate=1), device)
        with torch_settings(prepared.device, None, recipe.seed), retain_freed_memory(prepared.device):
            speed = _measure(prepared, size, cancelled)
            if speed is None:
                return None
            stages[each] = _Stage.of(prepared.fresh_model(), 1 / speed)
    is_split = prepared.validation_source == "share"
    return [
        QuickEstimate(_rounded(_seconds(network, recipe, images, is_split, stages))) for recipe in recipes
    ]


@dataclass(frozen=True)
class _Stage:
    """What an image costs while certain layers are locked."""

    seconds: float
    """For a training step with the image itself."""
    locked: float
    """The share of the multiply-adds that is in layers before the first one that learns, 0 to 1."""

    @classmethod
    def of(cls, model: Model, seconds: float) -> _Stage:
        analysis, names = analyze(model.network), set(model.run_order[: frozen_length(model)])
        nodes = [node for node, modules in model.modules_by_node.items() if names.issuperset(modules)]
        return cls(seconds, sum(analysis[node].macs for node in nodes) / max(analysis.macs, 1))

    @property
    def forward_seconds(self) -> float:
        """For the forward pass alone. A locked layer needs no backward pass."""
        return self.seconds / (self.locked + (1 - self.locked) / _FORWARD_SHARE)


def _stages(network: Network, recipe: Recipe) -> Iterator[tuple[Network, int]]:
    """The network with the locks of each stage, and the epochs of that stage."""
    if recipe.unlocks and network.locked_ids:
        yield network, recipe.unlock_after
        yield final_network(network, recipe), recipe.epochs - recipe.unlock_after
    else:
        yield network, recipe.epochs


def _seconds(
    network: Network, recipe: Recipe, images: int, is_split: bool, stages: Mapping[Network, _Stage]
) -> float:
    """For all epochs. What a locked beginning gives is computed once for each copy of an image."""
    trained = images * (1 - recipe.validation_share) if is_split else float(images)
    # Where most is locked, what was measured is mostly a forward pass.
    forward = stages[network].forward_seconds
    total = 0.0
    for each, epochs in _stages(network, recipe):
        stage = stages[each]
        step, validation = stage.seconds, forward
        if stage.locked and can_use_features(recipe):
            total += max(recipe.feature_copies, 1) * images * stage.locked * forward
            validation = (1 - stage.locked) * forward
            step = max(step - stage.locked * forward, validation)
        total += epochs * (trained * step + (images - trained) * validation)
    return total


def _rounded(seconds: float) -> float:
    """To two digits: what few steps say is not more exact."""
    return float(f"{seconds:.2g}")


def _measure(prepared: PreparedTraining, size: int, cancelled: CancelFunction) -> float | None:
    """Images per second; None if the memory ran out, which is released then."""
    try:
        return measure_speed(prepared, size, cancelled)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    release_memory(prepared.device)
    return None
