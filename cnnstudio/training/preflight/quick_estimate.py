"""About how long a training takes, from a few steps on random images: quick enough to be known beforehand.

Unlike `profiling` it loads no data set: the time of a step does not depend on what the images show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import measure_speed
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import micro_batch_size

_MAX_MACS = 10**10
"""Multiply-adds in the forward pass of a measured batch: a step must not keep others waiting for long."""
_MAX_BYTES = 64 * 2**20
"""Of the random images."""
_MACS_OF_A_STEP = 3
"""In times those of the forward pass, which is all that a validation or a locked layer needs."""


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
    """As `quick_estimate`, for several recipes by one measurement: of the first one's steps."""
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
    prepared = prepare(network, dataset, recipe.replace(batch_size=size, accumulate=1), device)
    with torch_settings(prepared.device, None, recipe.seed), retain_freed_memory(prepared.device):
        speed = _measure(prepared, size, cancelled)
        if speed is None:
            return None
        is_split = prepared.validation_source == "share"
        found = [_seconds(prepared.fresh_model(), each, images, speed, is_split) for each in recipes]
    return [QuickEstimate(_rounded(seconds)) for seconds in found]


def _seconds(model: Model, recipe: Recipe, images: int, speed: float, is_split: bool) -> float:
    """For all epochs, if a step with the model's locks takes so many images per second.

    A locked layer needs no backward pass, which costs about twice the forward pass.
    """
    analysis = analyze(model.network)
    per_image = _MACS_OF_A_STEP * analysis.macs - (_MACS_OF_A_STEP - 1) * _locked_macs(model)
    pass_seconds = analysis.macs / (speed * max(per_image, 1))
    trained = images * (1 - recipe.validation_share) if is_split else float(images)
    keeps, copies = can_use_features(recipe), max(recipe.feature_copies, 1)
    total = 0.0
    for epochs in _stages(model, recipe):
        locked = _locked_macs(model) / max(analysis.macs, 1)
        free = 1 - locked
        in_each = locked
        if keeps and frozen_length(model):
            # Computed once for each copy of an image.
            total, in_each = total + copies * images * locked * pass_seconds, 0.0
        total += epochs * trained * (in_each + _MACS_OF_A_STEP * free) * pass_seconds
        total += epochs * (images - trained) * (in_each + free) * pass_seconds
    return total


def _stages(model: Model, recipe: Recipe) -> Iterator[int]:
    """The epochs of each stage, while the model has its locks."""
    if not (recipe.unlocks and model.network.locked_ids):
        yield recipe.epochs
        return
    yield recipe.unlock_after
    model.unlock([node.id for node in model.last_locked(recipe.unlock_groups)])
    yield recipe.epochs - recipe.unlock_after


def _locked_macs(model: Model) -> int:
    """Multiply-adds in the layers before the first one that learns."""
    reports, names = analyze(model.network), set(model.run_order[: frozen_length(model)])
    nodes = (node for node, modules in model.modules_by_node.items() if names.issuperset(modules))
    return sum(reports[node].macs for node in nodes)


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
