"""What a training is doing, as one sentence with the numbers that one would ask for next."""

from __future__ import annotations

from collections.abc import Iterable

from cnnstudio.core.formatting import count, duration, percent, plural
from cnnstudio.runs.watching import Look
from cnnstudio.training.events import EpochEnded, Event, Finished, Paused, Progress, Resumed, Started
from cnnstudio.training.outcomes import completed


class RunWords:
    """Follows the events of one run, and puts where it is into words."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, started: Started | None) -> None:
        self._started = started
        self._progress: Progress | None = None
        self._epoch: EpochEnded | None = None
        self._finished: Finished | None = None
        self._paused = False

    def feed(self, events: Iterable[Event]) -> None:
        """Takes the events in their order."""
        for event in events:
            match event:
                case Started():
                    self._begin(event)
                case Progress():
                    self._progress = event
                case EpochEnded():
                    self._epoch = event
                case Finished():
                    self._finished = event
                case Paused() | Resumed():
                    self._paused = isinstance(event, Paused)

    @property
    def is_finished(self) -> bool:
        return self._finished is not None

    @property
    def is_failed(self) -> bool:
        return self._finished is not None and self._finished.outcome == "failed"

    @property
    def share(self) -> float:
        """Of the run's steps, those that are done."""
        if self._finished is not None and self._finished.outcome == "completed":
            return 1.0
        return self._progress.step / self._progress.steps if self._progress is not None else 0.0

    @property
    def sentence(self) -> str:
        if self._finished is not None:
            return self._end(self._finished)
        if self._started is None:
            return ""
        parts = [self.place]
        if self._progress is not None:
            if self._progress.seconds_left is not None:
                parts.append(f"{duration(self._progress.seconds_left)} left")
            if not self._paused:
                parts.append(f"{count(round(self._progress.images_per_second))} images/s")
        if self._epoch is not None:
            parts.append(f"validation accuracy {percent(self._epoch.validation.accuracy)}")
        return " · ".join(parts)

    @property
    def place(self) -> str:
        """`Epoch 5 of 8`; empty before the start."""
        started = self._started
        if started is None:
            return ""
        done = self._progress.step if self._progress is not None else 0
        epochs = self._epochs(started)
        epoch = min(done // max(started.steps_per_epoch, 1) + 1, epochs)
        words = f"poch {count(epoch)} of {count(epochs)}"
        return f"Paused in e{words}" if self._paused else f"E{words}"

    def _epochs(self, started: Started) -> int:
        """As many as are planned by now; a run can be made longer while it trains."""
        if self._progress is None:
            return started.epochs
        return self._progress.steps // max(started.steps_per_epoch, 1)

    def _end(self, finished: Finished) -> str:
        if finished.outcome == "failed":
            return finished.reason
        epochs = self._epochs(self._started) if self._started is not None else 0
        # A run that ended early is complete too, and says why.
        if finished.outcome == "completed" and finished.reason == completed(epochs):
            parts = [f"Done: {plural(epochs, 'epoch')} in {duration(finished.seconds)}"]
        else:
            parts = [finished.reason.rstrip(".")]
        if finished.test is not None:
            parts.append(f"test accuracy {percent(finished.test.accuracy)}")
        if finished.best_epoch is not None:
            parts.append(f"best was epoch {count(finished.best_epoch)}")
        return " · ".join(parts)


def followed_in_words(look: Look, words: RunWords, problem: str) -> str:
    """Of a run that another program trains, or did: where, and how far it is; why it cannot be seen."""
    if problem:
        return f"The run cannot be seen just now. {problem}"
    if look.status == "running":
        where = trained_where(look)
        return f"{words.sentence} · {where[:1].lower()}{where[1:]}" if words.sentence else where
    if look.status == "interrupted":
        heard = "" if look.run.is_of_this_machine else f": nothing is heard from {look.run.host}"
        return " · ".join(filter(None, (f"Interrupted{heard}", words.place)))
    return words.sentence if words.is_finished else look.run.reason


def trained_where(look: Look) -> str:
    """`Running elsewhere (host gpu-3)`."""
    if look.run.is_of_this_machine or not look.run.host:
        return "Running in another program"
    return f"Running elsewhere (host {look.run.host})"
