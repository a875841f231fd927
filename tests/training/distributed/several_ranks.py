"""Trainings that torchrun starts on several ranks, and the same on one, to compare what comes of them.

    torchrun --standalone --nproc-per-node 2 -m tests.training.distributed.several_ranks FOLDER

Each rank writes what it saw into the folder.
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
from cnnstudio.training.distributed.process_group import joined
from cnnstudio.training.distributed.ranks import Ranks
from cnnstudio.training.events import EpochEnded, Event, Progress, Started
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import LESSON, STUDIO, Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.float64_muon import wide_muon
from tests.training.images import colors
from tests.training.networks import network, tiny

RANKS = 2


@dataclass
class Seen:
    """What one rank has seen of a training."""

    weights: dict[str, np.ndarray] = field(default_factory=dict)
    images: int = 0
    """That it cut out of the training set."""
    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: type[Event]) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind.__name__]

    def losses(self) -> list[float]:
        return [loss for event in self.of(Progress) for loss in event["losses"]]

    def digest(self) -> str:
        joined = b"".join(value.tobytes() for value in self.weights.values())
        return hashlib.sha256(joined).hexdigest()


Act = Callable[[Event, Control, Ranks], None]
"""What somebody does during the training."""


def nothing(event: Event, control: Control, ranks: Ranks) -> None: ...


def stop_on_the_last_rank(event: Event, control: Control, ranks: Ranks) -> None:
    if isinstance(event, EpochEnded) and ranks.number == ranks.count - 1 and event.epoch == 2:
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
    if isinstance(event, EpochEnded) and ranks.number == ranks.count - 1 and event.epoch == 1:
        raise MemoryError


def normalized(*ending: Layer) -> Network:
    """BatchNormalization of images; no weight that it makes useless, whose gradient is rounding alone."""
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
# In float32 and without an average of the weights, which would hide a part of a difference.
_PLAIN = STUDIO.replace(precision="float32", average_decay=0.0)
_SHORT = _PLAIN.replace(epochs=3, batch_size=BATCH, learning_rate=0.02, validation_share=0.0, shift=1, seed=3)
_MIXED = _SHORT.replace(crop=0.2, brightness=0.2, cutout=2, mixup=0.4, cutmix=0.5, test_time_flip=True)
_ADAM = LESSON.replace(epochs=3, batch_size=BATCH, validation_share=0.2)
TRAININGS: dict[str, tuple[Network, Recipe, Act]] = {
    "moved": (NETWORK, _SHORT.replace(clip_norm=0.5, average_decay=0.9), nothing),
    "mixed": (NETWORK, _MIXED, nothing),
    "in parts": (NETWORK, _ADAM.replace(accumulate=3), nothing),
    # One image a part, so that each rank has none of every other part.
    "image by image": (normalized(), _SHORT.replace(batch_size=4, accumulate=4), nothing),
    "muon": (NETWORK, _SHORT.replace(optimizer="muon", learning_rate=0.002), nothing),
    "dropout": (tiny(dropout=True), _SHORT, nothing),
    "interrupted": (tiny(dropout=True), _SHORT, stop_after_the_first_epoch),
    "stopped": (tiny(), _SHORT.replace(epochs=2000), stop_on_the_last_rank),
    "changed": (tiny(), _ADAM.replace(epochs=2000), change_and_pause_on_the_first),
    "diverged": (tiny(), _SHORT.replace(learning_rate=100.0, norm_bias_rate=1.0, epochs=50), nothing),
    # Last, because the ranks cannot go on together afterwards.
    "memory": (tiny(), _SHORT, lose_memory_on_the_last_rank),
}


def learn(name: str, ranks: Ranks, folder: Path | None = None) -> Seen:
    """One of the trainings, on this rank. The interrupted one goes on from what is in the folder."""
    network, recipe, act = TRAININGS[name]
    seen, control = Seen(), Control()

    def emit(event: Event) -> None:
        seen.events.append(event.to_json())
        act(event, control, ranks)

    def keep(epoch: int, model: Model) -> None:
        seen.weights = {key: value.numpy().copy() for key, value in model.state_dict().items()}

    prepared = prepare(network, colors(COUNT), recipe, "cpu")
    with counting(seen), wide_muon() if recipe.optimizer == "muon" else nullcontext():
        for resume in [False, True] if name == "interrupted" else [False]:
            train_prepared(
                prepared,
                control=Control() if resume else control,
                emit=emit,
                folder=folder,
                resume=resume,
                after_epoch=keep,
                ranks=ranks,
            )
    return seen


class counting:  # noqa: N801  # used like a function, as contextlib's own
    """Inside, images that are cut for learning are counted."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._gathered = Batches._gathered

    def __enter__(self) -> None:
        def gathered(batches: Batches, *arguments: Any) -> Any:
            pixels, labels = self._gathered(batches, *arguments)
            self._seen.images += len(labels) * batches._shuffle
            return pixels, labels

        Batches._gathered = gathered  # type: ignore[method-assign]  # put back below

    def __exit__(self, *error: object) -> None:
        Batches._gathered = self._gathered  # type: ignore[method-assign]


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        for name in TRAININGS:
            # The first rank alone has what is saved.
            seen = learn(name, ranks, folder / f"run-{name}" if ranks.is_first else None)
            place = folder / f"{name}-{ranks.number}"
            np.savez(place.with_suffix(".npz"), **seen.weights)
            place.with_suffix(".json").write_text(json.dumps([seen.images, seen.events]))
    names = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]
    (folder / f"threads-{ranks.number}.json").write_text(json.dumps(names))


def read(folder: Path, name: str) -> list[Seen]:
    """What each rank has seen."""
    found = []
    for number in range(RANKS):
        place = folder / f"{name}-{number}"
        images, events = json.loads(place.with_suffix(".json").read_text())
        with np.load(place.with_suffix(".npz")) as weights:
            found.append(Seen(dict(weights), images, events))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
