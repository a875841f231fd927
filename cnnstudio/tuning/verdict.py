"""Whether the best trial is significantly better than the baseline, the search's own starting point.

Trials are chosen by their accuracy on the validation images. The best of many is partly the luckiest, so
that accuracy overstates how good it is. The verdict therefore compares accuracies on the test images, which
played no part in the choice, and if possible of runs with other seeds than the one that was chosen by.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.formatting import as_printed
from cnnstudio.runs.comparing.comparison import compare_trainings
from cnnstudio.runs.comparing.seeds import accuracy_statistics
from cnnstudio.runs.comparing.significance import SeedStatistics, TestResult, format_accuracy
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.search import SearchListener
from cnnstudio.tuning.study import BASE_DESIGN, Study
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
    runs = _tested_runs(study, baseline, best)
    baseline_statistics, best_statistics = map(accuracy_statistics, runs)
    if baseline_statistics is None or best_statistics is None:
        return SearchVerdict(
            "The best trial cannot be compared with the unchanged settings: a run is missing."
        )
    again = shlex.join(["cnnstudio", "search", str(study.folder / BASE_DESIGN), "--run", str(study.folder)])
    comparison = compare_trainings(
        *runs,
        more=f"other seeds ({as_printed(again)} --resume --seeds 3)",
        which=f"accuracy of trial {best.number}",
        known=_known_runs(study),
    )
    text = (
        f"On the test images, which played no part in the search, the unchanged settings reach "
        f"{format_accuracy(baseline_statistics)} and trial {best.number} reaches "
        f"{format_accuracy(best_statistics)}. {comparison.text}"
    )
    return SearchVerdict(text, baseline_statistics, best_statistics, comparison.result)


def _known_runs(study: Study) -> Iterator[Run]:
    """The user's runs, and those of other seeds that this search has trained for an earlier best trial."""
    yield from list_runs()
    for trial in study.trials:
        yield from list_runs(study.seeds_folder(trial))


def _trials_to_compare(study: Study) -> Iterator[Trial]:
    """The baseline and the best trial, if they are two and both completed."""
    baseline, best = study.baseline, study.best
    if baseline is not None and best is not None and baseline != best and baseline.state == "completed":
        yield baseline
        yield best


def _tested_runs(study: Study, baseline: Trial | None, best: Trial) -> tuple[list[Run], list[Run]]:
    """The completed runs of both trials with other seeds, or their own if one of them has none.

    A best trial's own run was chosen by its result, so that many runs of the baseline would make a lucky one
    look significant. One run of each never does.
    """
    if baseline is None or (baseline.state, best.state) != ("completed", "completed"):
        return [], []
    trials = (baseline, best)
    with contextlib.suppress(RunError):
        seeds = [
            [run for run in list_runs(study.seeds_folder(trial)) if run.status == "completed"]
            for trial in trials
        ]
        baseline_runs, best_runs = seeds if all(seeds) else ([study.run(trial)] for trial in trials)
        return baseline_runs, best_runs
    return [], []
