"""The search itself: one trial after the other until there are enough, the time is up, or it is stopped."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Protocol

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.runs.run import RUN_FILE, Run
from cnnstudio.training.events import EpochEnded, Event, Finished, Scores
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.space import Values
from cnnstudio.tuning.study import Study
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.trial_runner import Workshop

if TYPE_CHECKING:
    from cnnstudio.design.network import Network
    from cnnstudio.tuning.sampler import Guide

_ATTEMPTS = 20
"""To get values that were not tried yet, before the untried ones are gone through."""

_MOST_FAILURES = 20
"""In a row; what fails so often has a reason that other values do not change."""


class Listener(Protocol):
    """Hears how a search goes on."""

    def training(self, trial: Trial, event: Event) -> None:
        """What a trial's training says."""

    def ended(self, trial: Trial) -> None:
        """A trial is over, and is written down."""

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        """A trial was trained again, with another seed."""


class Searching:
    """One search, begun or gone on with. Raises SearchError where Optuna is not installed."""

    def __init__(self, study: Study, workshop: Workshop, listener: Listener) -> None:
        self._study = study
        self._workshop = workshop
        self._listener = listener
        self._guide = guide_type()(study.plan.space, study.recipe.seed, study.recipe.epochs)
        for trial in study.ended:
            self._guide.remember(trial)

    def run(self, until: float | None = None) -> str:
        """Makes the trials that are left; begins none after the time `until` (of `time.monotonic`).

        Gives one sentence on why it ended. A trial that is stopped stays unfinished, and goes on next time.
        """
        while len(self._study.ended) < self._study.plan.trials:
            if until is not None and time.monotonic() >= until:
                return "The time is up."
            last = self._study.ended[-_MOST_FAILURES:]
            if len(last) == _MOST_FAILURES and all(trial.state == "failed" for trial in last):
                return f"The last {_MOST_FAILURES} trials have all failed."
            trial = self._next()
            if trial is None:
                return "All values there are have been tried."
            self._study.keep(trial)
            trial = self._train(trial)
            if trial.state == "unfinished":
                return "Stopped."
            self._study.keep(trial)
            self._guide.remember(trial)
            self._listener.ended(trial)
            if self._workshop.control.stop.is_set():
                return "Stopped."
        return "All trials are done."

    def importances(self) -> dict[str, float]:
        """How much of the difference between trials each setting makes, as shares; nothing for few trials."""
        return self._guide.importances()

    def _next(self) -> Trial | None:
        """The one that was interrupted, or a new one; None where nothing new is left to try."""
        study = self._study
        unfinished = [trial for trial in study.trials if trial.state == "unfinished"]
        if unfinished:
            return unfinished[0]
        number = len(study.trials) + 1
        if number == 1:
            return Trial(1, study.plan.space.read(study.network, study.recipe))
        values = self._untried(number)
        return None if values is None else Trial(number, values)

    def _untried(self, number: int) -> Values | None:
        tried = {_key(trial.values) for trial in self._study.trials}
        for attempt in range(_ATTEMPTS):
            values = self._guide.proposal(number, attempt)
            if _key(values) not in tried:
                return values
        combinations = self._study.plan.space.combinations()
        return next((values for values in combinations if _key(values) not in tried), None)

    def _train(self, trial: Trial) -> Trial:
        """The trial as it ended; one with values that do not go together has failed."""
        scores: dict[int, Scores] = {}
        try:
            network, recipe = self._study.setting(trial)
            finished = self._trained(trial, network, recipe, scores)
        except UserError as error:
            return trial.ended("failed", str(error), {})
        if finished.outcome == "failed":
            return trial.ended("failed", finished.reason, scores, finished.seconds)
        if finished.outcome == "completed":
            return trial.ended("completed", finished.reason, scores, finished.seconds)
        if self._workshop.control.stop_after_epoch.is_set():
            return trial.ended("pruned", finished.reason, scores, finished.seconds)
        return trial

    def _trained(self, trial: Trial, network: Network, recipe: Recipe, scores: dict[int, Scores]) -> Finished:
        """Trains it in its folder, or goes on there; `scores` takes those of each epoch."""
        folder, control = self._study.place(trial), self._workshop.control
        if exists(folder / RUN_FILE):
            scores |= {event.epoch: event.validation for event in Run.open(folder).history}
        control.stop_after_epoch.clear()

        def follow(event: Event) -> None:
            if isinstance(event, EpochEnded):
                scores[event.epoch] = event.validation
                if event.epoch < recipe.epochs and self._is_hopeless(scores, event.epoch):
                    control.request_stop_after_epoch()
            self._listener.training(trial, event)

        return self._workshop.train(network, recipe, folder, follow)

    def _is_hopeless(self, scores: Mapping[int, Scores], epoch: int) -> bool:
        # Of an interrupted run, epochs may be known that it has to do once more.
        accuracies = {number: each.accuracy for number, each in scores.items() if number <= epoch}
        return self._study.plan.prune and self._guide.is_hopeless(accuracies)


def guide_type() -> type[Guide]:
    """What asks Optuna. Raises SearchError where that is not installed."""
    try:
        from cnnstudio.tuning.sampler import Guide
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise SearchError(
            "searching needs Optuna, which is not installed: pip install 'cnnstudio[search]'"
        ) from None
    return Guide


def _key(values: Values) -> Hashable:
    return tuple(values.items())
