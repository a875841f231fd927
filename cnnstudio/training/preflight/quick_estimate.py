"""About how long a training takes, from a few steps on random images: quick enough to be known beforehand.

Unlike `profiling` it loads no data set: the time of a step does not depend on what the images show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnstudio.core.formatting import format_duration
from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.training.hardware.device_memory import is_out_of_memory, release_memory, retain_freed_memory
from cnnstudio.training.hardware.torch_state import torch_settings
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
    speed = _measure(prepared, size, cancelled)
    if speed is None:
        return None
    trained = images * len(prepared.train_rows) / count
    seconds = (trained + _FORWARD_SHARE * (images - trained)) / speed
    return QuickEstimate(_rounded(recipe.epochs * seconds))


def _rounded(seconds: float) -> float:
    """To two digits: what few steps say is not more exact."""
    return float(f"{seconds:.2g}")


def _measure(prepared: PreparedTraining, size: int, cancelled: CancelFunction) -> float | None:
    """Images per second; None if the memory ran out, which is released then."""
    with torch_settings(prepared.device, None, prepared.recipe.seed), retain_freed_memory(prepared.device):
        try:
            return measure_speed(prepared, size, cancelled)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
    release_memory(prepared.device)
    return None
