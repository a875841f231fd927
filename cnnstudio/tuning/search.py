"""The search loop: one trial after the other until there are enough, the time is up, or it is stopped."""

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
from cnnstudio.tuning.trial_runner import TrialRunner

if TYPE_CHECKING:
    from cnnstudio.design.network import Network
    from cnnstudio.tuning.sampler import Sampler

_MAX_ATTEMPTS = 20
"""Proposals to draw until one is new, before the untried combinations are enumerated."""

_MAX_FAILURES_IN_A_ROW = 20
"""If as many trials fail, the reason is likely something that no values can change."""


class SearchListener(Protocol):
    """Is notified of the progress of a search."""

    def training(self, trial: Trial, event: Event) -> None:
        """An event of the trial's training."""

    def ended(self, trial: Trial) -> None:
        """The trial has ended and has been saved."""

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        """The trial was trained again with another seed."""


class SearchLoop:
    """One search, new or resumed. Raises SearchError if Optuna is not installed."""

    def __init__(self, study: Study, runner: TrialRunner, listener: SearchListener) -> None:
        self._study = study
        self._runner = runner
        self._listener = listener
        self._sampler = load_sampler_type()(study.plan.space, study.recipe.seed, study.recipe.epochs)
        for trial in study.ended:
            self._sampler.add_finished_trial(trial)

    def run(self, until: float | None = None) -> str:
        """Makes the remaining trials; starts none after the time `until` (of `time.monotonic`).

        Returns why it ended, in one sentence. A trial that is stopped stays unfinished and is resumed next
        time.
        """
        while len(self._study.ended) < self._study.plan.trials:
            if until is not None and time.monotonic() >= until:
                return "Time is up."
            last = self._study.ended[-_MAX_FAILURES_IN_A_ROW:]
            if len(last) == _MAX_FAILURES_IN_A_ROW and all(trial.state == "failed" for trial in last):
                return f"The last {_MAX_FAILURES_IN_A_ROW} trials all failed."
            trial = self._next_trial()
            if trial is None:
                return "All combinations of values have been tried."
            # Saved before it starts, so that a killed search knows which trial to resume and with what
            # values.
            self._study.record(trial)
            trial = self._train(trial)
            if trial.state == "unfinished":
                return "Stopped."
            self._study.record(trial)
            self._sampler.add_finished_trial(trial)
            self._listener.ended(trial)
            if self._runner.control.stop.is_set():
                return "Stopped."
        return "All trials are done."

    def importances(self) -> dict[str, float]:
        """Each setting's share of the differences between trials; empty if there are too few trials."""
        return self._sampler.importances()

    def _next_trial(self) -> Trial | None:
        """The interrupted trial or a new one; None if nothing new is left to try."""
        study = self._study
        unfinished = [trial for trial in study.trials if trial.state == "unfinished"]
        if unfinished:
            return unfinished[0]
        number = len(study.trials) + 1
        if number == 1:
            return Trial(1, study.plan.space.values_of(study.network, study.recipe))
        values = self._untried_values(number)
        return None if values is None else Trial(number, values)

    def _untried_values(self, number: int) -> Values | None:
        """Values that no trial has had. In a small space proposals repeat, and training is deterministic."""
        tried = {_key(trial.values) for trial in self._study.trials}
        for attempt in range(_MAX_ATTEMPTS):
            values = self._sampler.propose(number, attempt)
            if _key(values) not in tried:
                return values
        combinations = self._study.plan.space.combinations()
        return next((values for values in combinations if _key(values) not in tried), None)

    def _train(self, trial: Trial) -> Trial:
        """The trial with its result; still "unfinished" if it was stopped."""
        scores: dict[int, Scores] = {}
        try:
            network, recipe = self._study.configuration(trial)
            finished = self._train_run(trial, network, recipe, scores)
        except UserError as error:
            # Values that make an invalid network, or one too large for the memory, are a result too.
            return trial.finish("failed", str(error), {})
        if finished.outcome == "failed":
            return trial.finish("failed", finished.reason, scores, finished.seconds)
        if finished.outcome == "completed":
            return trial.finish("completed", finished.reason, scores, finished.seconds)
        if self._runner.control.stop_after_epoch.is_set():
            return trial.finish("pruned", finished.reason, scores, finished.seconds)
        return trial

    def _train_run(
        self, trial: Trial, network: Network, recipe: Recipe, scores: dict[int, Scores]
    ) -> Finished:
        """Trains or resumes the trial's run; adds the validation scores of each epoch to `scores`."""
        folder, control = self._study.trial_folder(trial), self._runner.control
        if exists(folder / RUN_FILE):
            scores |= {event.epoch: event.validation for event in Run.open(folder).history}
        control.stop_after_epoch.clear()

        def on_event(event: Event) -> None:
            if isinstance(event, EpochEnded):
                scores[event.epoch] = event.validation
                if event.epoch < recipe.epochs and self._should_prune(scores, event.epoch):
                    control.request_stop_after_epoch()
            self._listener.training(trial, event)

        return self._runner.train(network, recipe, folder, on_event)

    def _should_prune(self, scores: Mapping[int, Scores], epoch: int) -> bool:
        # The log of an interrupted run may contain epochs after its checkpoint, which are trained again.
        # They must not count before they are, or a resumed search could decide differently from an
        # uninterrupted one.
        accuracies = {number: each.accuracy for number, each in scores.items() if number <= epoch}
        return self._study.plan.prune and self._sampler.should_prune(accuracies)


def load_sampler_type() -> type[Sampler]:
    """The Sampler class. Raises SearchError if Optuna is not installed."""
    try:
        from cnnstudio.tuning.sampler import Sampler
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise SearchError(
            "searching needs Optuna, which is not installed: pip install 'cnnstudio[search]'"
        ) from None
    return Sampler


def _key(values: Values) -> Hashable:
    return tuple(values.items())
