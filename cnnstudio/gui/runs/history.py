"""The history of a run as accumulated from its events, live or from a folder: curves, epochs, position."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from cnnstudio.core.formatting import format_percent, format_value
from cnnstudio.gui.runs.curves.marks import Kind, Mark, Marks
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves, MetricName
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    Finished,
    LayersUnlocked,
    Paused,
    Progress,
    RecipeChanged,
    Resumed,
    SnapshotTaken,
    Started,
    ThreadsChanged,
    WeightsTransferred,
)

_SAMPLED_POINTS = 50_000
"""Points of what is known once for each Progress event, of which there are about 20 a second."""
_MIN_RATE_JUMP = 1.3
"""A learning rate that was constant and then changes by such a factor at once is marked."""


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
        self.curves = _new_curves(1)
        self.marks = Marks()
        self._rates = _RateJumps()
        self._best: tuple[int, EpochEnded | None] | None = None
        """For which version it was found last, and the best epoch."""
        self.version = 0

    @property
    def loss(self) -> MetricCurves:
        return self.curves["loss"]

    @property
    def accuracy(self) -> MetricCurves:
        return self.curves["accuracy"]

    def feed(self, events: Iterable[Event]) -> None:
        """Adds events, in their order."""
        for event in _grouped(events):
            self.version += 1
            if isinstance(event, list):
                self._add_steps(event)
            else:
                self._feed(event)

    def _feed(self, event: Event) -> None:
        match event:
            case Started():
                self._start(event)
            case EpochEnded():
                self._add_epoch(event)
            case SnapshotTaken():
                self.snapshot = event
            case Paused():
                self.marks.begin_pause(self._epoch_of(event.step), event.step, goes_on=self.paused)
                self.paused = True
            case Resumed():
                self.paused = False
                self.marks.end_pause(event.seconds)
            case ThreadsChanged() if not event.trial:
                self.threads = event
            case RecipeChanged():
                self._rates.forget()
                name = event.name.replace("_", " ")
                text = f"{name.capitalize()} changed from {event.before} to {event.after}."
                self._mark(event.epoch, f"{name} {event.after}", text, "change")
            case LayersUnlocked():
                self._rates.forget()
                self._mark(event.epoch, "unlocked", f"{event.text}.", "change")
            case WeightsTransferred():
                text = "Training went on with a changed design."
                self._mark(self._epoch_of(event.step), "changed design", text, "change")
            case Finished():
                self._finish(event)

    def _finish(self, event: Finished) -> None:
        self.finished = event
        self.paused = False
        if event.cause == "not_finite":
            self._mark(self.position, "diverged", event.reason, "trouble")

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

    @property
    def best(self) -> EpochEnded | None:
        """The epoch with the best validation scores; None before the first one."""
        if self._best is None or self._best[0] != self.version:
            best = next((epoch for epoch in reversed(self.epochs) if epoch.best), None)
            self._best = (self.version, best)
        return self._best[1]

    @property
    def all_marks(self) -> list[Mark]:
        """The marks, and one at the best epoch."""
        best = self.best
        if best is None:
            return list(self.marks)
        scores = best.validation
        text = (
            f"Best epoch so far: {best.epoch:,}, with a validation loss of {scores.loss:.3f} "
            f"and an accuracy of {format_percent(scores.accuracy)}."
        )
        return [*self.marks, Mark(best.epoch, "best", text, "best")]

    def _start(self, event: Started) -> None:
        self.started = event
        self.finished = self.threads = None
        # A resumed run keeps its curves.
        if self.is_empty:
            self.curves = _new_curves(event.steps_per_epoch)
        elif event.steps_done:
            text = f"Resumed after step {event.steps_done:,}."
            self._mark(self._epoch_of(event.steps_done), "resumed", text, "resume")
        self._rates.forget()

    def _add_steps(self, events: list[Progress]) -> None:
        """Adds events that follow each other."""
        previous, self.progress = self.progress, events[-1]
        losses = [loss for event in events for loss in event.losses]
        if not losses:
            return
        first, steps_per_epoch = events[0].first_step, self._steps_per_epoch(events[-1])
        numbers = np.arange(first, first + len(losses), dtype=np.float64)
        x = np.minimum(numbers / steps_per_epoch, MAX_EPOCHS)
        drawn = self.loss.steps.x
        is_repeated = previous is not None and first <= previous.step
        if is_repeated or (len(drawn) and x[0] <= drawn[-1]):
            self._truncate(float(x[0]))
        self.loss.extend(x, losses)
        self.accuracy.extend(x, [accuracy for event in events for accuracy in event.accuracies])
        self._mark_trouble(x, losses)
        self._add_samples(events, steps_per_epoch)

    def _add_samples(self, events: list[Progress], steps_per_epoch: float) -> None:
        """Adds what is known once for each event."""
        x = np.minimum([event.step / steps_per_epoch for event in events], MAX_EPOCHS)
        for name in ("learning_rate", "images_per_second", "gradient_norm"):
            values = [getattr(event, name) for event in events]
            self.curves[name].extend(x, [math.nan if value is None else value for value in values])
        for position, event in zip(x, events, strict=True):
            jump = self._rates.follow(event.learning_rate)
            if jump:
                self._mark(float(position), f"rate {format_value(event.learning_rate)}", jump, "rate")

    def _mark_trouble(self, x: np.ndarray, losses: list[float]) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad) and not self.marks.has("trouble"):
            text = "From here on the loss is not a finite number: training has diverged."
            self._mark(float(x[bad[0]]), "not finite", text, "trouble")

    def _mark(self, epoch: float, label: str, text: str, kind: Kind) -> None:
        # The length of an epoch is not known if the log has lost its beginning.
        self.marks.add(min(epoch, MAX_EPOCHS), label, text, kind)

    def _epoch_of(self, step: int) -> float:
        return step / self._steps_per_epoch(self.progress)

    def _steps_per_epoch(self, event: Progress | None) -> float:
        if self.started is not None:
            return max(self.started.steps_per_epoch, 1)
        if event is None:
            return 1.0
        return event.step / event.epoch if event.epoch > 0 else 1.0

    def _truncate(self, x: float) -> None:
        """The run was resumed from a checkpoint at epoch `x`: later steps are trained again."""
        for curves in self.curves.values():
            curves.truncate(x)
        self.marks.truncate(x)
        self.epochs = [epoch for epoch in self.epochs if epoch.epoch < x]

    def _add_epoch(self, event: EpochEnded) -> None:
        while self.epochs and self.epochs[-1].epoch >= event.epoch:
            self.epochs.pop()
        self.epochs.append(event)
        train, validation, number = event.train, event.validation, event.epoch
        self.loss.extend_epoch(number, train.loss, validation.loss)
        self.accuracy.extend_epoch(number, train.accuracy, validation.accuracy)
        self.curves["learning_rate"].extend_epoch(number, event.learning_rate)
        self.curves["images_per_second"].extend_epoch(number, event.images_per_second)
        norms = self.curves["gradient_norm"]
        norms.extend_epoch(number, norms.mean_since(number - 1))


def _new_curves(steps_per_epoch: int) -> dict[MetricName, MetricCurves]:
    return {
        "loss": MetricCurves(steps_per_epoch),
        "accuracy": MetricCurves(steps_per_epoch, 1.0),
        "learning_rate": MetricCurves(points=_SAMPLED_POINTS),
        "images_per_second": MetricCurves(points=_SAMPLED_POINTS),
        "gradient_norm": MetricCurves(points=_SAMPLED_POINTS),
    }


class _RateJumps:
    """Notices where a learning rate that stood still changes at once, as by a schedule in steps."""

    def __init__(self) -> None:
        self._before: float | None = None
        self._stood_still = False

    def forget(self) -> None:
        """What follows is not compared with what was before."""
        self._before, self._stood_still = None, False

    def follow(self, rate: float) -> str:
        """What changed, in a sentence; empty for no jump."""
        before, stood_still = self._before, self._stood_still
        self._before, self._stood_still = rate, rate == before
        if before is None or not stood_still or not min(rate, before) > 0:
            return ""
        if max(rate, before) / min(rate, before) < _MIN_RATE_JUMP:
            return ""
        return f"The schedule changed the learning rate from {format_value(before)} to {format_value(rate)}."


def _grouped(events: Iterable[Event]) -> Iterator[Event | list[Progress]]:
    """The same events, with Progress events that follow each other in lists.

    A long run read from its folder has very many of them, and each one added costs array operations.
    """
    consecutive: list[Progress] = []
    for event in events:
        is_steps = isinstance(event, Progress) and bool(event.losses)
        if consecutive and not (is_steps and _follows(event, consecutive[-1])):
            yield consecutive
            consecutive = []
        if isinstance(event, Progress):
            # One without steps only says where the run is.
            consecutive.append(event)
            if not is_steps:
                yield consecutive
                consecutive = []
        else:
            yield event
    if consecutive:
        yield consecutive


def _follows(event: Event, previous: Progress) -> bool:
    return isinstance(event, Progress) and event.first_step == previous.step + 1
