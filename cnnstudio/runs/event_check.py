"""Checks that the numbers in a run's events can be those of a training.

Every reader of a log has them checked, so that whatever prints, compares or draws them need not.

A line of the log may have the types of an event and still say epoch 10^12. Losses and accuracies may be
anything: a training that diverges reports such values, and they are skipped when they are drawn.
"""

from __future__ import annotations

import dataclasses

from cnnstudio.core.parameters import shorten
from cnnstudio.training.events import Event, Progress

MAX_EPOCHS = 1_000_000
"""Far more than a recipe can ask for."""

_MAX_COUNT = 10**15
_EPOCHS = ("epoch", "epochs", "best_epoch", "first_epoch")
_COUNTS = (  # and durations and rates, which have the same limits
    "step",
    "steps",
    "steps_done",
    "steps_per_epoch",
    "batch_size",
    "train_images",
    "validation_images",
    "parameters",
    "threads",
    "usual_threads",
    "ranks",
    "first_step",
    "seconds",
    "seconds_left",
    "images_per_second",
)
_MINIMUM = {"steps": 1, "steps_per_epoch": 1, "epochs": 1}


def find_problem(event: Event) -> str:
    """What is wrong with a number of the event, which no training can have; empty if nothing is."""
    return _problem(event) or _problem_of_progress(event)


def _problem(event: Event) -> str:
    for item in dataclasses.fields(event):
        name = item.name
        is_epoch = name in _EPOCHS
        if not is_epoch and name not in _COUNTS:
            continue
        value = getattr(event, name)
        maximum = MAX_EPOCHS if is_epoch else _MAX_COUNT
        minimum = _MINIMUM.get(name, 0)
        # NaN is refused too: it fails both comparisons.
        if value is not None and not minimum <= value <= maximum:
            return f"“{name}” is {shorten(str(value), 30)} instead of a number from {minimum} to {maximum:,}"
    return ""


def _problem_of_progress(event: Event) -> str:
    if not isinstance(event, Progress):
        return ""
    if len(event.losses) != len(event.accuracies):
        return f"there are {len(event.losses):,} losses but {len(event.accuracies):,} accuracies"
    # Readers divide one by the other to learn the length of an epoch, if the log does not start with it.
    if event.epoch > event.step:
        return f"{event.epoch:,g} epochs are done after {event.step:,} steps"
    return ""
