"""Whether the best trial is better than what the search began with, by more than chance.

The search chose by the validation images, and the best of many is partly luck there; so what counts here
are the test images, by which nothing was chosen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run, list_runs
from cnnstudio.runs.seeds import accuracies
from cnnstudio.runs.significance import Spread, Verdict, compare, in_words, sentence
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.search import Listener
from cnnstudio.tuning.study import Study
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.trial_runner import Workshop


@dataclass(frozen=True)
class Conclusion:
    """`base` and `best` are accuracies on the test images; None where there are none."""

    text: str
    base: Spread | None = None
    best: Spread | None = None
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.base.to_json() if self.base else None,
            "best": self.best.to_json() if self.best else None,
            "comparison": self.verdict.to_json() if self.verdict else None,
        }


def repeat(study: Study, seeds: int, workshop: Workshop, listener: Listener) -> bool:
    """Trains the base and the best with so many other seeds; tells whether it came to its end.

    Other seeds than the search's own, with which the best may have had luck. What is done is not done again.
    """
    workshop.control.stop_after_epoch.clear()
    for trial in _compared(study):
        network, recipe = study.setting(trial)
        for seed in other_seeds(study.recipe, seeds):
            folder = study.place_of_seeds(trial) / f"seed-{seed}"
            with contextlib.suppress(RunError):
                if Run.open(folder).status in ("completed", "failed"):
                    continue
            finished = workshop.train(
                network,
                recipe.replace(seed=seed),
                folder,
                lambda event, trial=trial: listener.training(trial, event),  # type: ignore[misc]
            )
            if finished.outcome == "stopped":
                return False
            listener.repeated(trial, seed, finished)
    return True


def other_seeds(recipe: Recipe, seeds: int) -> range:
    """So many that follow the recipe's own."""
    return range(recipe.seed + 1, recipe.seed + 1 + seeds)


def conclude(study: Study) -> Conclusion:
    """What the trials and their repeats come to."""
    best, base = study.best, study.base
    if best is None:
        return Conclusion("No trial came to its end, so there is nothing to choose from.")
    if best == base:
        return Conclusion("No trial was better than the design and the recipe as they are.")
    runs = _tested(study, base), _tested(study, best)
    first, second = map(accuracies, runs)
    if first is None or second is None:
        return Conclusion(
            "The design and the recipe as they are, or the best, cannot be compared: a run is missing."
        )
    verdict = compare(first, second, min(run.test_images for group in runs for run in group))
    said = (
        f"On the test images, by which nothing was chosen, the design and the recipe as they are reach "
        f"{in_words(first)} (first) and trial {best.number} {in_words(second)} (second). "
        f"{sentence(first, second, verdict)}"
    )
    return Conclusion(said, first, second, verdict)


def _compared(study: Study) -> Iterator[Trial]:
    """The base and the best, where they are two and came to an end."""
    base, best = study.base, study.best
    if base is not None and best is not None and base != best and base.state == "completed":
        yield base
        yield best


def _tested(study: Study, trial: Trial | None) -> list[Run]:
    """The trial's runs with other seeds, else its own; nothing where it came to no end."""
    if trial is None or trial.state != "completed":
        return []
    repeats = [run for run in list_runs(study.place_of_seeds(trial)) if run.status == "completed"]
    with contextlib.suppress(RunError):
        return repeats or [study.run(trial)]
    return []
