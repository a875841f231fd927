"""Proposes values to try next, and decides which trials to prune, with Optuna.

The only module that imports Optuna, which is an optional dependency: `pip install 'cnnstudio[search]'`.

It stores nothing that cannot be rebuilt from the finished trials, and draws every proposal from a random
generator of its own, seeded by the search's seed and the trial's number. A resumed search therefore proposes
exactly what it would have proposed without the interruption.
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

_STARTUP_TRIALS = 6
"""Trials spread over the space before TPE takes over; with fewer it settles on the first good region."""

_COMPLETED_BEFORE_PRUNING = 4
"""Trials that have to complete before others are pruned: the median of fewer is too uncertain."""


class Sampler:
    """Proposes the values of trials in a space; `epochs` is the length of each trial."""

    def __init__(self, space: Space, seed: int, epochs: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        self._seed = seed
        # Early in a run, the learning rate is still warming up, and accuracies say little about the end.
        self._pruner = MedianPruner(
            n_startup_trials=_COMPLETED_BEFORE_PRUNING, n_warmup_steps=epochs // 4 + 1
        )
        self._study = optuna.create_study(direction="maximize")
        self._distributions = {
            dimension.setting.name: _distribution(dimension) for dimension in space.dimensions
        }

    def add_finished_trial(self, trial: Trial) -> None:
        """Takes the result of a trial into account."""
        # The baseline may lie outside the space, where Optuna accepts no trials.
        if trial.values in self._space:
            self._study.add_trial(self._to_optuna(trial))

    def propose(self, number: int, attempt: int) -> Values:
        """Values for trial `number`, counted from 1; another attempt gives others.

        The same finished trials always give the same proposal.
        """
        if number <= _STARTUP_TRIALS:
            return self._quasirandom(number + attempt * _STARTUP_TRIALS)
        seed = np.random.SeedSequence((self._seed, number, attempt)).generate_state(1)[0]
        self._study.sampler = TPESampler(seed=int(seed), n_startup_trials=1)
        asked = self._study.ask(self._distributions)
        # Discards Optuna's own trial, since `add_finished_trial` adds ours; TPE ignores failed ones.
        self._study.tell(asked, state=TrialState.FAIL)
        return {
            dimension.setting.name: _from_optuna(dimension, asked.params[dimension.setting.name])
            for dimension in self._space.dimensions
        }

    def _quasirandom(self, number: int) -> Values:
        """Point `number` of a low-discrepancy sequence, which covers the space evenly from the start.

        The additive recurrence R_d (Roberts, The Unreasonable Effectiveness of Quasirandom Sequences, 2018):
        coordinate k of point n is the fractional part of s_k + n / g^k, where g is the positive root of
        x^(d+1) = x + 1 and s a random start that depends on the seed.
        """
        dimensions = self._space.dimensions
        root = 2.0
        # The fixed point iteration x = (1 + x)^(1/(d+1)) converges to the root from any positive start.
        for _ in range(50):
            root = (1 + root) ** (1 / (1 + len(dimensions)))
        shift = np.random.default_rng(self._seed).random(len(dimensions))
        return {
            dimension.setting.name: dimension.at(float((start + number * root**-power) % 1))
            for power, (dimension, start) in enumerate(zip(dimensions, shift, strict=True), start=1)
        }

    def should_prune(self, accuracies: Mapping[int, float]) -> bool:
        """Whether a trial with these accuracies, by epoch, is worse than half of the completed trials.

        Compares the best of its epochs so far with their median at its last epoch, so one bad epoch does not
        end a good trial.
        """
        trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(accuracies))
        should_prune: bool = self._pruner.prune(self._study, trial)
        return should_prune

    def importances(self) -> dict[str, float]:
        """Each setting's share of the differences between trials, summing to 1; empty if there are too few.

        By PED-ANOVA (Watanabe et al., IJCAI 2023): which settings distinguish the better trials from the
        rest.
        """
        completed = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(completed) < 2 * _COMPLETED_BEFORE_PRUNING or len({trial.value for trial in completed}) < 2:
            return {}
        found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {name: float(share) for name, share in found.items()}

    def _to_optuna(self, trial: Trial) -> FrozenTrial:
        is_completed = trial.state == "completed"
        # Failed trials are passed as pruned ones without a value, which Optuna ranks as the worst. It ignores
        # trials that it calls failed, and would propose the same region again and again.
        return create_trial(
            state=TrialState.COMPLETE if is_completed else TrialState.PRUNED,
            params={
                dimension.setting.name: _to_optuna_value(dimension, trial.values[dimension.setting.name])
                for dimension in self._space.dimensions
            },
            distributions=self._distributions,
            value=trial.best_scores.accuracy if is_completed and trial.best_scores else None,
            intermediate_values=(
                {}
                if trial.state == "failed"
                else {epoch: each.accuracy for epoch, each in trial.scores.items()}
            ),
        )


def _distribution(dimension: Dimension) -> BaseDistribution:
    match dimension:
        case Choices():
            # Indices, because Optuna's categories are plain values, not pairs such as a kernel size.
            return CategoricalDistribution(range(len(dimension.choices)))
        case Range(step=None):
            return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        case Range():
            return IntDistribution(
                int(dimension.low), int(dimension.high), log=dimension.log, step=dimension.step or 1
            )


def _from_optuna(dimension: Dimension, value: Any) -> Any:
    return dimension.choices[value] if isinstance(dimension, Choices) else dimension.rounded(value)


def _to_optuna_value(dimension: Dimension, value: Any) -> Any:
    return dimension.choices.index(value) if isinstance(dimension, Choices) else value
