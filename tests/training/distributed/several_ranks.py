"""Trainings that torchrun starts on several ranks, and the same on one, to compare the results.

    torchrun --standalone --nproc-per-node 2 -m tests.training.distributed.several_ranks FOLDER

Each rank writes what it recorded to the folder.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnstudio.data.batches import Batches
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.control import Control
from cnnstudio.training.distributed.process_group import process_group
from cnnstudio.training.distributed.ranks import Ranks
from cnnstudio.training.events import EpochEnded, Event, Progress, Started
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.float64_muon import float64_muon
from tests.training.images import colors
from tests.training.networks import network, tiny

RANKS = 2


@dataclass
class Recorded:
    """What one rank recorded of a training."""

    weights: dict[str, np.ndarray] = field(default_factory=dict)
    images: int = 0
    """Training images that it loaded."""
    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: type[Event]) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind.event_name]

    def losses(self) -> list[float]:
        return [loss for event in self.of(Progress) for loss in event["losses"]]

    def digest(self) -> str:
        joined = b"".join(value.tobytes() for value in self.weights.values())
        return hashlib.sha256(joined).hexdigest()


Act = Callable[[Event, Control, Ranks], None]
"""Requests during the training."""


def nothing(event: Event, control: Control, ranks: Ranks) -> None: ...


def stop_on_the_last_rank(event: Event, control: Control, ranks: Ranks) -> None:
    if isinstance(event, EpochEnded) and ranks.rank == ranks.world_size - 1 and event.epoch == 2:
        control.request_stop()


def stop_after_the_first_epoch(event: Event, control: Control, ranks: Ranks) -> None:
    if isinstance(event, Started) and not event.steps_done and ranks.is_first:
        control.request_stop_after_epoch()


def change_and_pause_on_the_first(event: Event, control: Control, ranks: Ranks) -> None:
    if isinstance(event, EpochEnded) and ranks.is_first and event.epoch == 2:
        control.request_change(learning_rate=0.004)
        control.request_change(epochs=2001)
        control.request_pause()
        threading.Timer(0.2, control.request_stop_after_epoch).start()


def lose_memory_on_the_last_rank(event: Event, control: Control, ranks: Ranks) -> None:
    if isinstance(event, EpochEnded) and ranks.rank == ranks.world_size - 1 and event.epoch == 1:
        raise MemoryError


def normalized(*ending: Layer) -> Network:
    """With BatchNormalization of images; without biases before it, whose gradient would be mere rounding."""
    return network(
        *(Conv2D(6, padding="same", use_bias=False), BatchNormalization()),
        *(Conv2D(6, strides=(2, 2), activation="relu"), BatchNormalization(scale=False), Flatten()),
        *(*ending, Dense(3)),
        input=Shape.of(3, 8, 8),
        name="Normalized",
    )


NETWORK = normalized(Dense(8, activation="relu"), BatchNormalization())
# 51 images in batches of 16: the last one has 3, of which one rank takes two.
COUNT, BATCH = 51, 16
# In float32 and without a weight average, which would hide part of a difference.
_PLAIN = STUDIO.replace(precision="float32", average_decay=0.0)
_SHORT = _PLAIN.replace(epochs=3, batch_size=BATCH, learning_rate=0.02, validation_share=0.0, shift=1, seed=3)
_MIXED = _SHORT.replace(crop=0.2, brightness=0.2, cutout=2, mixup=0.4, cutmix=0.5, test_time_flip=True)
_ADAM = LESSON.replace(epochs=3, batch_size=BATCH, validation_share=0.2)
TRAININGS: dict[str, tuple[Network, Recipe, Act]] = {
    "moved": (NETWORK, _SHORT.replace(clip_norm=0.5, average_decay=0.9), nothing),
    "mixed": (NETWORK, _MIXED, nothing),
    "accumulated": (NETWORK, _ADAM.replace(accumulate=3), nothing),
    # Micro-batches of one image, so that each rank has nothing in every other one.
    "image by image": (normalized(), _SHORT.replace(batch_size=4, accumulate=4), nothing),
    "muon": (NETWORK, _SHORT.replace(optimizer="muon", learning_rate=0.002), nothing),
    "dropout": (tiny(dropout=True), _SHORT, nothing),
    "interrupted": (tiny(dropout=True), _SHORT, stop_after_the_first_epoch),
    "stopped": (tiny(), _SHORT.replace(epochs=2000), stop_on_the_last_rank),
    "changed": (tiny(), _ADAM.replace(epochs=2000), change_and_pause_on_the_first),
    "diverged": (tiny(), _SHORT.replace(learning_rate=100.0, norm_bias_rate=1.0, epochs=50), nothing),
    # Last, because the ranks cannot continue together after it.
    "memory": (tiny(), _SHORT, lose_memory_on_the_last_rank),
}


def learn(name: str, ranks: Ranks, folder: Path | None = None) -> Recorded:
    """One of the trainings, on this rank. The interrupted one resumes from the folder."""
    network, recipe, act = TRAININGS[name]
    recorded, control = Recorded(), Control()

    def emit(event: Event) -> None:
        recorded.events.append(event.to_json())
        act(event, control, ranks)

    def copy_weights(epoch: int, model: Model) -> None:
        recorded.weights = {key: value.numpy().copy() for key, value in model.state_dict().items()}

    prepared = prepare(network, colors(COUNT), recipe, "cpu")
    with counting(recorded), float64_muon() if recipe.optimizer == "muon" else nullcontext():
        for resume in [False, True] if name == "interrupted" else [False]:
            train_prepared(
                prepared,
                control=Control() if resume else control,
                emit=emit,
                folder=folder,
                resume=resume,
                after_epoch=copy_weights,
                ranks=ranks,
            )
    return recorded


class counting:  # noqa: N801  # used like a function, as contextlib's own
    """Inside, training images that are loaded are counted."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._gather = Batches._gather

    def __enter__(self) -> None:
        def gather(batches: Batches, *arguments: Any) -> Any:
            pixels, labels = self._gather(batches, *arguments)
            self._recorded.images += len(labels) * batches._shuffle
            return pixels, labels

        Batches._gather = gather  # type: ignore[method-assign]  # restored below

    def __exit__(self, *error: object) -> None:
        Batches._gather = self._gather  # type: ignore[method-assign]


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with process_group("cpu") as ranks:
        for name in TRAININGS:
            # Only the first rank has a folder.
            recorded = learn(name, ranks, folder / f"run-{name}" if ranks.is_first else None)
            path = folder / f"{name}-{ranks.rank}"
            np.savez(path.with_suffix(".npz"), **recorded.weights)
            path.with_suffix(".json").write_text(json.dumps([recorded.images, recorded.events]))
    names = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]
    (folder / f"threads-{ranks.rank}.json").write_text(json.dumps(names))


def read(folder: Path, name: str) -> list[Recorded]:
    """What each rank recorded."""
    found = []
    for rank in range(RANKS):
        path = folder / f"{name}-{rank}"
        images, events = json.loads(path.with_suffix(".json").read_text())
        with np.load(path.with_suffix(".npz")) as weights:
            found.append(Recorded(dict(weights), images, events))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
