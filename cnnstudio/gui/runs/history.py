"""The history of a run as accumulated from its events, live or from a folder: curves, epochs, position."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from cnnstudio.core.parameters import shorten
from cnnstudio.gui.runs.series import Series, Trend
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    RecipeChanged,
    Resumed,
    SnapshotTaken,
    Started,
    ThreadsChanged,
    WeightsTransferred,
)

_MAX_LOSS = 1e30
"""Larger ones are not drawn, as if they were infinite."""
_MAX_MARKS = 100
_MAX_MARK_CHARACTERS = 60

_MEANS_PER_EPOCH = 24
"""Enough to show a change within an epoch, few enough for a smooth curve."""


class MetricCurves:
    """One metric of a run: the training value per step, its trend, and the validation value per epoch."""

    def __init__(self, steps_per_epoch: int = 1, maximum: float = _MAX_LOSS) -> None:
        """Values below 0, above `maximum` and NaN are skipped: no curve can show them beside others."""
        self._maximum = maximum
        self.steps = Series()
        self.trend = Trend(steps_per_epoch // _MEANS_PER_EPOCH)
        self.validation = Series()
        self.marks: list[tuple[float, str]] = []
        """The epochs at which the run was changed, with a label for each change."""

    def extend(self, x: np.ndarray, values: tuple[float, ...]) -> None:
        """Adds training values: `x` in epochs, float64 (N,), and N values."""
        shown = self._shown(values)
        self.steps.extend(x, shown)
        self.trend.extend(x, shown)

    def extend_validation(self, epoch: float, value: float) -> None:
        """Adds a validation value, and removes those from that epoch on."""
        self.validation.truncate(epoch)
        self.validation.extend([epoch], self._shown((value,)))

    def _shown(self, values: tuple[float, ...]) -> np.ndarray:
        found = np.array(values, dtype=np.float64)
        return np.where((found >= 0) & (found <= self._maximum), found, np.nan)

    def truncate(self, x: float) -> None:
        """Removes everything from epoch `x` on."""
        self.steps.truncate(x)
        self.trend.truncate(x)
        self.validation.truncate(x)
        self.marks = [mark for mark in self.marks if mark[0] < x]


class RunHistory:
    """What a run's events have shown so far. `version` increases with every change that a plot would show."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.progress: Progress | None = None
        self.epochs: list[EpochEnded] = []
        self.snapshot: SnapshotTaken | None = None
        self.finished: Finished | None = None
        self.paused = False
        self.threads: ThreadsChanged | None = None
        """The last change that was kept, of this start of the run."""
        self.loss = MetricCurves()
        self.accuracy = MetricCurves(maximum=1.0)
        self.version = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Adds events, in their order."""
        for event in _merge_progress(events):
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
            case ThreadsChanged() if not event.trial:
                self.threads = event
            case RecipeChanged():
                self._add_mark(event.epoch, f"{event.name.replace('_', ' ')} {event.after}")
            case WeightsTransferred():
                self._add_mark(event.step / self._steps_per_epoch(None), "changed design")
            case Finished():
                self.finished = event
                self.paused = False

    @property
    def total_epochs(self) -> int:
        """The planned number of epochs, or the completed ones if they are more; at least 1."""
        planned = self.started.epochs if self.started else 0
        if self.progress is not None:
            # A run can be extended while it trains.
            planned = round(self.progress.steps / self._steps_per_epoch(self.progress))
        return min(max(planned, len(self.epochs), 1), MAX_EPOCHS)

    @property
    def position(self) -> float:
        """The position in the run, in epochs, with a fraction."""
        done = float(self.epochs[-1].epoch) if self.epochs else 0.0
        return min(max(done, self.progress.epoch if self.progress else 0.0), MAX_EPOCHS)

    @property
    def summary_events(self) -> list[Event]:
        """The few events that determine the run's current status."""
        paused = Paused(self.progress.step if self.progress else 0) if self.paused else None
        last_epoch = self.epochs[-1] if self.epochs else None
        events = (self.started, self.progress, last_epoch, self.threads, paused, self.finished)
        return [event for event in events if event is not None]

    @property
    def is_empty(self) -> bool:
        """Whether no step has been trained yet."""
        return self.progress is None and not self.epochs

    def _start(self, event: Started) -> None:
        self.started = event
        self.finished = self.threads = None
        # A resumed run keeps its curves.
        if self.is_empty:
            self.loss, self.accuracy = (
                MetricCurves(event.steps_per_epoch),
                MetricCurves(event.steps_per_epoch, 1.0),
            )

    def _add_steps(self, event: Progress) -> None:
        previous, self.progress = self.progress, event
        if not event.losses:
            return
        steps_per_epoch = self._steps_per_epoch(event)
        numbers = np.arange(event.first_step, event.first_step + len(event.losses), dtype=np.float64)
        x = np.minimum(numbers / steps_per_epoch, MAX_EPOCHS)
        drawn = self.loss.steps.x
        is_repeated = previous is not None and event.first_step <= previous.step
        if is_repeated or (len(drawn) and x[0] <= drawn[-1]):
            self._truncate(float(x[0]))
        self.loss.extend(x, event.losses)
        self.accuracy.extend(x, event.accuracies)

    def _add_mark(self, epoch: float, text: str) -> None:
        # The length of an epoch is not known if the log has lost its beginning.
        epoch, text = min(epoch, MAX_EPOCHS), shorten(text, _MAX_MARK_CHARACTERS)
        for curves in (self.loss, self.accuracy):
            # Simultaneous changes share one mark: two labels would overlap.
            if curves.marks and curves.marks[-1][0] == epoch:
                joined = f"{curves.marks[-1][1]}, {text}"
                curves.marks[-1] = (epoch, shorten(joined, _MAX_MARK_CHARACTERS))
            else:
                curves.marks.append((epoch, text))
                del curves.marks[:-_MAX_MARKS]

    def _steps_per_epoch(self, event: Progress | None) -> float:
        if self.started is not None:
            return max(self.started.steps_per_epoch, 1)
        if event is None:
            return 1.0
        return event.step / event.epoch if event.epoch > 0 else 1.0

    def _truncate(self, x: float) -> None:
        """The run was resumed from a checkpoint at epoch `x`: later steps are trained again."""
        for curves in (self.loss, self.accuracy):
            curves.truncate(x)
        self.epochs = [epoch for epoch in self.epochs if epoch.epoch < x]

    def _add_epoch(self, event: EpochEnded) -> None:
        while self.epochs and self.epochs[-1].epoch >= event.epoch:
            self.epochs.pop()
        self.epochs.append(event)
        for curves, value in (
            (self.loss, event.validation.loss),
            (self.accuracy, event.validation.accuracy),
        ):
            curves.extend_validation(event.epoch, value)


def _merge_progress(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, with consecutive Progress events merged into one.

    A long run read from its folder has very many of them, and each one added costs array operations.
    """
    consecutive: list[Progress] = []
    for event in events:
        follows = (
            isinstance(event, Progress) and bool(consecutive) and event.first_step == consecutive[-1].step + 1
        )
        if consecutive and not follows:
            yield _merged(consecutive)
            consecutive = []
        if isinstance(event, Progress) and event.losses:
            consecutive.append(event)
        else:
            yield event
    if consecutive:
        yield _merged(consecutive)


def _merged(events: list[Progress]) -> Progress:
    if len(events) == 1:
        return events[0]
    losses = tuple(loss for event in events for loss in event.losses)
    accuracies = tuple(accuracy for event in events for accuracy in event.accuracies)
    first_step = events[0].first_step
    return dataclasses.replace(events[-1], losses=losses, accuracies=accuracies, first_step=first_step)
