"""What the events of one run add up to: curves, epochs, where it stands. Live and from a folder alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from cnnstudio.gui.runs.series import Series, Trend
from cnnstudio.training.events import (
    Adjusted,
    CarriedOver,
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    SnapshotTaken,
    Started,
)

_MEANS_PER_EPOCH = 24
"""Enough to show a change within an epoch, few enough to be calm."""


class Curves:
    """One quantity of a run by epochs done: per step, its trend, and for validation per epoch."""

    def __init__(self, steps_per_epoch: int = 1) -> None:
        self.steps = Series()
        self.trend = Trend(steps_per_epoch // _MEANS_PER_EPOCH)
        self.validation = Series()
        self.marks: list[tuple[float, str]] = []
        """Epochs at which the run was changed, and how."""

    def extend(self, x: np.ndarray, values: tuple[float, ...]) -> None:
        """Adds what single steps gave."""
        self.steps.extend(x, values)
        self.trend.extend(x, values)

    def cut(self, x: float) -> None:
        """Takes away everything from `x` on."""
        self.steps.cut(x)
        self.trend.cut(x)
        self.validation.cut(x)
        self.marks = [mark for mark in self.marks if mark[0] < x]


class History:
    """A run as far as its events tell. `version` rises with every change that a plot would show."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.progress: Progress | None = None
        self.epochs: list[EpochEnded] = []
        self.snapshot: SnapshotTaken | None = None
        self.finished: Finished | None = None
        self.paused = False
        self.loss = Curves()
        self.accuracy = Curves()
        self.version = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Takes the events in the order in which they came."""
        for event in _joined(events):
            self._feed(event)

    def _feed(self, event: Event) -> None:
        self.version += 1
        match event:
            case Started():
                self._start(event)
            case Progress():
                self._add_steps(event)
            case EpochEnded():
                self._add_epoch(event)
            case SnapshotTaken():
                self.snapshot = event
            case Paused() | Resumed():
                self.paused = isinstance(event, Paused)
            case Adjusted():
                self._mark(event.epoch, f"{event.name.replace('_', ' ')} {event.after}")
            case CarriedOver():
                self._mark(event.step / self._steps_per_epoch(None), "changed design")
            case Finished():
                self.finished = event
                self.paused = False

    @property
    def total_epochs(self) -> int:
        """As many as were planned; more where more are there."""
        planned = self.started.epochs if self.started else 0
        if self.progress is not None:
            # A run can be made longer while it trains.
            planned = round(self.progress.steps / self._steps_per_epoch(self.progress))
        return max(planned, len(self.epochs), 1)

    @property
    def position(self) -> float:
        """Epochs done, with fraction."""
        done = float(self.epochs[-1].epoch) if self.epochs else 0.0
        return max(done, self.progress.epoch if self.progress else 0.0)

    @property
    def gist(self) -> list[Event]:
        """The few events that tell where the run stands."""
        paused = Paused(self.progress.step if self.progress else 0) if self.paused else None
        told = (self.started, self.progress, self.epochs[-1] if self.epochs else None, paused, self.finished)
        return [event for event in told if event is not None]

    @property
    def is_empty(self) -> bool:
        """No step was made yet."""
        return self.progress is None and not self.epochs

    def _start(self, event: Started) -> None:
        self.started = event
        self.finished = None
        # A run that goes on after an interruption keeps the curves that it has.
        if self.is_empty:
            self.loss, self.accuracy = Curves(event.steps_per_epoch), Curves(event.steps_per_epoch)

    def _add_steps(self, event: Progress) -> None:
        earlier, self.progress = self.progress, event
        if not event.losses:
            return
        steps_per_epoch = self._steps_per_epoch(event)
        numbers = np.arange(event.first_step, event.first_step + len(event.losses), dtype=np.float64)
        x = numbers / steps_per_epoch
        if earlier is not None and event.first_step <= earlier.step:
            self._cut(float(x[0]))
        self.loss.extend(x, event.losses)
        self.accuracy.extend(x, event.accuracies)

    def _mark(self, epoch: float, text: str) -> None:
        for curves in (self.loss, self.accuracy):
            # What was changed at once shares one mark: two would lie on each other.
            if curves.marks and curves.marks[-1][0] == epoch:
                curves.marks[-1] = (epoch, f"{curves.marks[-1][1]}, {text}")
            else:
                curves.marks.append((epoch, text))

    def _steps_per_epoch(self, event: Progress | None) -> float:
        if self.started is not None:
            return max(self.started.steps_per_epoch, 1)
        if event is None:
            return 1.0
        return event.step / event.epoch if event.epoch > 0 else 1.0

    def _cut(self, x: float) -> None:
        """The run goes on from an earlier checkpoint: what it had done beyond it did not count."""
        for curves in (self.loss, self.accuracy):
            curves.cut(x)
        self.epochs = [epoch for epoch in self.epochs if epoch.epoch < x]

    def _add_epoch(self, event: EpochEnded) -> None:
        self.epochs = [epoch for epoch in self.epochs if epoch.epoch < event.epoch]
        self.epochs.append(event)
        for curves, value in (
            (self.loss, event.validation.loss),
            (self.accuracy, event.validation.accuracy),
        ):
            curves.validation.cut(event.epoch)
            curves.validation.extend([event.epoch], [value])


def _joined(events: Iterable[Event]) -> Iterator[Event]:
    """The same, with steps that follow each other as one event: a long run from its folder has very many."""
    run: list[Progress] = []
    for event in events:
        follows = isinstance(event, Progress) and bool(run) and event.first_step == run[-1].step + 1
        if run and not follows:
            yield _as_one(run)
            run = []
        if isinstance(event, Progress) and event.losses:
            run.append(event)
        else:
            yield event
    if run:
        yield _as_one(run)


def _as_one(run: list[Progress]) -> Progress:
    if len(run) == 1:
        return run[0]
    losses = tuple(loss for event in run for loss in event.losses)
    accuracies = tuple(accuracy for event in run for accuracy in event.accuracies)
    return dataclasses.replace(run[-1], losses=losses, accuracies=accuracies, first_step=run[0].first_step)
