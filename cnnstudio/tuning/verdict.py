"""Whether the best trial is significantly better than the baseline, the search's own starting point.

Trials are chosen by their accuracy on the validation images. The best of many is partly the luckiest, so
that accuracy overstates how good it is. The verdict therefore compares accuracies on the test images, which
played no part in the choice, and if possible of runs with other seeds than the one that was chosen by.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run, list_runs
from cnnstudio.runs.seeds import accuracy_statistics
from cnnstudio.runs.significance import (
    SeedStatistics,
    TestResult,
    compare,
    describe_comparison,
    format_accuracy,
)
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.search import SearchListener
from cnnstudio.tuning.study import Study
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.trial_runner import TrialRunner


@dataclass(frozen=True)
class SearchVerdict:
    """The verdict in words, and the accuracies on the test images on which it is based, if there are any."""

    text: str
    baseline: SeedStatistics | None = None
    best: SeedStatistics | None = None
    result: TestResult | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.baseline.to_json() if self.baseline else None,
            "best": self.best.to_json() if self.best else None,
            "comparison": self.result.to_json() if self.result else None,
        }


def retrain_with_other_seeds(study: Study, seeds: int, runner: TrialRunner, listener: SearchListener) -> bool:
    """Trains the baseline and the best trial with that many other seeds; False if it was stopped.

    The search's own seed is not among them, since the best trial may have been lucky with it. Completed runs
    are not repeated.
    """
    runner.control.stop_after_epoch.clear()
    for trial in _trials_to_compare(study):
        network, recipe = study.configuration(trial)
        for seed in other_seeds(study.recipe, seeds):
            folder = study.seeds_folder(trial) / f"seed-{seed}"
            with contextlib.suppress(RunError):
                if Run.open(folder).status in ("completed", "failed"):
                    continue
            finished = runner.train(
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
    """That many seeds following the recipe's own."""
    return range(recipe.seed + 1, recipe.seed + 1 + seeds)


def search_verdict(study: Study) -> SearchVerdict:
    """Compares the best trial with the baseline, as far as there are runs to compare."""
    best, baseline = study.best, study.baseline
    if best is None:
        return SearchVerdict("No trial completed, so there is no best one.")
    if best == baseline:
        return SearchVerdict("No trial was better than the unchanged settings.")
    runs = _tested_runs(study, baseline), _tested_runs(study, best)
    baseline_statistics, best_statistics = map(accuracy_statistics, runs)
    if baseline_statistics is None or best_statistics is None:
        return SearchVerdict(
            "The best trial cannot be compared with the unchanged settings: a run is missing."
        )
    images = min(run.test_images for group in runs for run in group)
    result = compare(baseline_statistics, best_statistics, images)
    text = (
        f"On the test images, which played no part in the search, the unchanged settings reach "
        f"{format_accuracy(baseline_statistics)} and trial {best.number} reaches "
        f"{format_accuracy(best_statistics)}. "
        + describe_comparison(
            baseline_statistics, best_statistics, result, which=f"accuracy of trial {best.number}"
        )
    )
    return SearchVerdict(text, baseline_statistics, best_statistics, result)


def _trials_to_compare(study: Study) -> Iterator[Trial]:
    """The baseline and the best trial, if they are two and both completed."""
    baseline, best = study.baseline, study.best
    if baseline is not None and best is not None and baseline != best and baseline.state == "completed":
        yield baseline
        yield best


def _tested_runs(study: Study, trial: Trial | None) -> list[Run]:
    """The completed trial's runs with other seeds, or its own run if there are none."""
    if trial is None or trial.state != "completed":
        return []
    seed_runs = [run for run in list_runs(study.seeds_folder(trial)) if run.status == "completed"]
    with contextlib.suppress(RunError):
        return seed_runs or [study.run(trial)]
    return []
