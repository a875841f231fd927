"""Canned training events, for widgets that are tested without a training."""

from __future__ import annotations

import math

import numpy as np

from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.training.events import EpochEnded, Event, Finished, Outcome, Progress, Scores, Started

CLASSES = ("cat", "dog", "frog", "ship", "truck", "plane", "bird", "deer", "horse", "car")
STEPS_PER_EPOCH = 10


def started(epochs: int = 8, steps_per_epoch: int = STEPS_PER_EPOCH, run: str | None = None) -> Started:
    return Started(
        run=run,
        network_name="Lesson CNN",
        parameters=315_722,
        device="cpu",
        threads=2,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        batch_size=32,
        train_images=32 * steps_per_epoch,
        validation_images=100,
        classes=CLASSES,
        validation="share",
    )


def loss_at(epoch: float) -> float:
    return 0.5 + 1.8 * math.exp(-epoch)


def accuracy_at(epoch: float) -> float:
    return 0.8 - 0.7 * math.exp(-epoch)


def progress(
    first_step: int, count: int, steps_per_epoch: int = STEPS_PER_EPOCH, epochs: int = 8, rate: float = 2410.0
) -> Progress:
    """`count` steps from `first_step` on."""
    epochs_done = [(first_step + number) / steps_per_epoch for number in range(count)]
    last = first_step + count - 1
    return Progress(
        step=last,
        steps=epochs * steps_per_epoch,
        epoch=last / steps_per_epoch,
        losses=tuple(map(loss_at, epochs_done)),
        accuracies=tuple(map(accuracy_at, epochs_done)),
        first_step=first_step,
        images_per_second=rate,
        learning_rate=0.05,
        seconds=float(last),
        seconds_left=72.0,
    )


def epoch_ended(epoch: int) -> EpochEnded:
    train = Scores(loss_at(epoch), accuracy_at(epoch))
    validation = Scores(loss_at(epoch) + 0.05, accuracy_at(epoch) - 0.03)
    return EpochEnded(epoch, train, validation, 2410.0, 0.05, 10.0 * epoch, True)


def run_events(
    epochs: int = 5, planned: int = 8, steps_per_epoch: int = STEPS_PER_EPOCH, run: str | None = None
) -> list[Event]:
    """A run of `planned` epochs, up to the end of epoch `epochs`."""
    events: list[Event] = [started(planned, steps_per_epoch, run)]
    for epoch in range(epochs):
        first = epoch * steps_per_epoch + 1
        events += [progress(first, steps_per_epoch, steps_per_epoch, planned), epoch_ended(epoch + 1)]
    return events


def finished(
    outcome: Outcome = "completed", reason: str = "Completed 8 epochs.", run: str | None = None
) -> Finished:
    if outcome == "failed":
        return Finished(outcome, reason, None, 160.0, run, None)
    return Finished(outcome, reason, Scores(0.8, 0.712), 160.0, run, 4)


def feature_maps(
    node_id: str, image: int = 0, count: int = 8, side: int = 4, dead: tuple[int, ...] = ()
) -> FeatureMaps:
    """`count` maps, each of a single gray, uint8 (count, side, side); they stand for values from 0 to 2."""
    maps = np.repeat(np.linspace(0, 255, count).astype(np.uint8), side * side).reshape(count, side, side)
    maps[list(dead)] = 0
    maps.flags.writeable = False
    return FeatureMaps(node_id, image, maps, 0.0, 2.0, dead, count)
