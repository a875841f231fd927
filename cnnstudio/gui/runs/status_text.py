"""The status of a run as one line of text: what it is doing, and the numbers that matter now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cnnstudio.core.formatting import format_count, format_duration, format_percent, pluralize
from cnnstudio.runs.watching import RunSnapshot
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    Scores,
    Started,
    ThreadsChanged,
)
from cnnstudio.training.outcomes import completed


class RunStatusText:
    """Follows the events of one run and describes its status."""

    def __init__(self) -> None:
        self._reset(None)

    def _reset(self, started: Started | None) -> None:
        self._started = started
        self._progress: Progress | None = None
        self._epoch: EpochEnded | None = None
        self._finished: Finished | None = None
        self._paused = False
        self._threads: ThreadsChanged | None = None

    def feed(self, events: Iterable[Event]) -> None:
        """Adds events, in their order."""
        for event in events:
            match event:
                case Started():
                    self._reset(event)
                case Progress():
                    self._progress = event
                case EpochEnded():
                    self._epoch = event
                case Finished():
                    self._finished = event
                case ThreadsChanged() if not event.trial:
                    self._threads = event
                case Paused() | Resumed():
                    self._paused = isinstance(event, Paused)

    @property
    def is_finished(self) -> bool:
        return self._finished is not None

    @property
    def run(self) -> Path | None:
        """The folder of the run; None while it has none."""
        known = (each.run for each in (self._finished, self._started) if each is not None and each.run)
        return next(map(Path, known), None)

    @property
    def is_failed(self) -> bool:
        return self._finished is not None and self._finished.outcome == "failed"

    @property
    def fraction(self) -> float:
        """The completed fraction of the run's steps, 0 to 1."""
        if self._finished is not None and self._finished.outcome == "completed":
            return 1.0
        return self._progress.step / self._progress.steps if self._progress is not None else 0.0

    @property
    def text(self) -> str:
        """`Epoch 5 of 8 · 1 m 12 s left · …` while it trains, else how it ended; empty before the start."""
        if self._finished is not None:
            return self._end_text(self._finished)
        if self._started is None:
            return ""
        parts = [self.epoch_text]
        if self._progress is not None:
            if self._progress.seconds_left is not None:
                parts.append(f"{format_duration(self._progress.seconds_left)} left")
            if not self._paused:
                parts.append(f"{format_count(round(self._progress.images_per_second))} images/s")
        if self._threads is not None and self._threads.threads < self._threads.usual_threads:
            parts.append(self._threads.text)
        if self._epoch is not None:
            parts.append(f"validation accuracy {format_percent(self._epoch.validation.accuracy)}")
        return " · ".join(parts)

    @property
    def short_text(self) -> str:
        """`Epoch 5 of 8 · 1 m 12 s left · 75.4%`, for places that have no room for `text`."""
        if self._finished is not None:
            return self._short_end_text(self._finished)
        parts = [self.epoch_text]
        if self._progress is not None and self._progress.seconds_left is not None:
            parts.append(f"{format_duration(self._progress.seconds_left)} left")
        if self._epoch is not None:
            parts.append(format_percent(self._epoch.validation.accuracy))
        return " · ".join(filter(None, parts))

    def _short_end_text(self, finished: Finished) -> str:
        if finished.outcome == "failed":
            return finished.reason
        if finished.outcome == "completed":
            parts = ["Done"]
        else:
            # The batch, which follows the epoch, is left to the tooltip.
            parts = [finished.reason.partition(" after batch ")[0].rstrip(".")]
        if finished.test is not None:
            parts.append(f"test {self._accuracy(finished.test)}")
        if finished.best_epoch is not None:
            parts.append(f"best epoch: {format_count(finished.best_epoch)}")
        return " · ".join(parts)

    @property
    def epoch_text(self) -> str:
        """`Epoch 5 of 8` or `Paused in epoch 5 of 8`; empty before the start."""
        started = self._started
        if started is None:
            return ""
        done = self._progress.step if self._progress is not None else 0
        epochs = self._planned_epochs(started)
        # The last step of the run already belongs to the next epoch by this count.
        epoch = min(done // max(started.steps_per_epoch, 1) + 1, epochs)
        position = f"{format_count(epoch)} of {format_count(epochs)}"
        return f"Paused in epoch {position}" if self._paused else f"Epoch {position}"

    def _planned_epochs(self, started: Started) -> int:
        """As planned now: a run can be extended while it trains."""
        if self._progress is None:
            return started.epochs
        return self._progress.steps // max(started.steps_per_epoch, 1)

    def _accuracy(self, test: Scores) -> str:
        """`76.7%`, or `76.7% (best)` if the test images chose the epoch: it is then no fair test."""
        return format_percent(test.accuracy) + (" (best)" if self._is_chosen_on_test else "")

    @property
    def _is_chosen_on_test(self) -> bool:
        return self._started is not None and self._started.validation == "test"

    def _end_text(self, finished: Finished) -> str:
        if finished.outcome == "failed":
            return finished.reason
        epochs = self._planned_epochs(self._started) if self._started is not None else 0
        # A run that early stopping ended is completed too, but gives its own reason.
        all_epochs = (completed(epochs), f"All {epochs:,} epochs are done.")  # the second in version 0.1
        parts = [finished.reason.rstrip(".")]
        if finished.test is not None:
            parts.append(f"test accuracy {self._accuracy(finished.test)}")
        if finished.outcome == "completed" and finished.reason in all_epochs:
            # The end is cut off where there is little room, and the accuracy is what everybody waits for.
            done = f"{pluralize(epochs, 'epoch')} in {format_duration(finished.seconds)}"
            parts = [*parts[1:], done]
            parts[0] = f"Done: {parts[0]}"
        if finished.best_epoch is not None:
            chosen = ", chosen on the test images" if self._is_chosen_on_test else ""
            parts.append(f"best epoch: {format_count(finished.best_epoch)}{chosen}")
        return " · ".join(parts)


def describe_followed_run(snapshot: RunSnapshot, status: RunStatusText, problem: str) -> str:
    """The status of a run that another program trains or trained, and where it is trained.

    `problem` is the reason why its folder cannot be read now, or empty.
    """
    if problem:
        return f"The run folder cannot be read at the moment. {problem}"
    if snapshot.status == "running":
        location = describe_training_location(snapshot)
        if not status.text:
            return location
        return f"{status.text} · {location[:1].lower()}{location[1:]}"
    if snapshot.status == "interrupted":
        silent_host = "" if snapshot.run.is_of_this_machine else f": no response from {snapshot.run.host}"
        return " · ".join(filter(None, (f"Interrupted{silent_host}", status.epoch_text)))
    return status.text if status.is_finished else snapshot.run.reason


def describe_training_location(snapshot: RunSnapshot) -> str:
    """`Running on another computer (gpu-3)` or `Running in another program`."""
    if snapshot.run.is_of_this_machine or not snapshot.run.host:
        return "Running in another program"
    return f"Running on another computer ({snapshot.run.host})"
