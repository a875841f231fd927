"""What Optuna is asked: which values to try next, and which trials are not worth their time.

The only module that imports Optuna, which is an extra: `pip install 'cnnstudio[search]'`. It keeps nothing
that the trials do not say themselves, so that a search that goes on tries what it would have tried anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from cnnstudio.tuning.space import Choices, Dimension, Range, Space, Values
from cnnstudio.tuning.trial import Trial

_SPREAD_AT_FIRST = 6
"""Trials all over the space, before the sampler has something to judge by."""

_COMPLETE_FIRST = 4
"""Trials that come to their end before others are compared with them."""


class Guide:
    """Knows the trials that were remembered; `epochs` is how long each of them takes."""

    def __init__(self, space: Space, seed: int, epochs: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        self._seed = seed
        # The first quarter of a run says little: the learning rate still rises there.
        self._pruner = MedianPruner(n_startup_trials=_COMPLETE_FIRST, n_warmup_steps=epochs // 4 + 1)
        self._study = optuna.create_study(direction="maximize")
        self._distributions = {
            dimension.target.name: _distribution(dimension) for dimension in space.dimensions
        }

    def remember(self, trial: Trial) -> None:
        """Takes a trial that has ended into account."""
        # The one with nothing changed may lie outside of what is searched.
        if trial.values in self._space:
            self._study.add_trial(self._frozen(trial))

    def proposal(self, number: int, attempt: int) -> Values:
        """What trial `number` could have; the same for the same trials before it."""
        if number <= _SPREAD_AT_FIRST:
            return self._spread(number + attempt * _SPREAD_AT_FIRST)
        seed = np.random.SeedSequence((self._seed, number, attempt)).generate_state(1)[0]
        self._study.sampler = TPESampler(seed=int(seed), n_startup_trials=1)
        asked = self._study.ask(self._distributions)
        # What becomes of it is told by `remember`.
        self._study.tell(asked, state=TrialState.FAIL)
        return {
            dimension.target.name: _value(dimension, asked.params[dimension.target.name])
            for dimension in self._space.dimensions
        }

    def _spread(self, number: int) -> Values:
        """A point of a sequence that fills the space evenly, which few random points do not.

        The additive recurrence R_d (Roberts, The Unreasonable Effectiveness of Quasirandom Sequences, 2018),
        begun somewhere by the seed.
        """
        dimensions = self._space.dimensions
        golden = 2.0
        for _ in range(50):
            golden = (1 + golden) ** (1 / (1 + len(dimensions)))
        shift = np.random.default_rng(self._seed).random(len(dimensions))
        return {
            dimension.target.name: dimension.at(float((start + number * golden**-power) % 1))
            for power, (dimension, start) in enumerate(zip(dimensions, shift, strict=True), start=1)
        }

    def is_hopeless(self, accuracies: Mapping[int, float]) -> bool:
        """Whether a trial with these accuracies, by epoch, is worse than half of the others were then."""
        trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(accuracies))
        hopeless: bool = self._pruner.prune(self._study, trial)
        return hopeless

    def importances(self) -> dict[str, float]:
        """How much of the difference between trials each setting makes, as shares; nothing for few trials."""
        completed = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(completed) < 2 * _COMPLETE_FIRST or len({trial.value for trial in completed}) < 2:
            return {}
        found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {name: float(share) for name, share in found.items()}

    def _frozen(self, trial: Trial) -> FrozenTrial:
        completed = trial.state == "completed"
        # To Optuna what failed is a pruned trial without a value, the worst of all: what it calls failed it
        # takes no notice of, and would try again.
        return create_trial(
            state=TrialState.COMPLETE if completed else TrialState.PRUNED,
            params={
                dimension.target.name: _parameter(dimension, trial.values[dimension.target.name])
                for dimension in self._space.dimensions
            },
            distributions=self._distributions,
            value=trial.best.accuracy if completed and trial.best else None,
            intermediate_values=(
                {}
                if trial.state == "failed"
                else {epoch: each.accuracy for epoch, each in trial.scores.items()}
            ),
        )


def _distribution(dimension: Dimension) -> BaseDistribution:
    match dimension:
        case Choices():
            return CategoricalDistribution(range(len(dimension.choices)))
        case Range(step=None):
            return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        case Range():
            return IntDistribution(
                int(dimension.low), int(dimension.high), log=dimension.log, step=dimension.step or 1
            )


def _value(dimension: Dimension, found: Any) -> Any:
    """Optuna's parameter as the setting's value."""
    return dimension.choices[found] if isinstance(dimension, Choices) else dimension.nearest(found)


def _parameter(dimension: Dimension, value: Any) -> Any:
    """The setting's value as Optuna's parameter."""
    return dimension.choices.index(value) if isinstance(dimension, Choices) else value
