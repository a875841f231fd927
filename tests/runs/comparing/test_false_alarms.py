"""Equal trainings are called different in at most 5% of 1,000 cases, in all places that give a verdict.

The results are drawn with the spread of the seeds of the lesson's network, 33.4 ± 4.3%.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.runs.comparing.comparison import CompletedRuns, compare_trainings
from cnnstudio.runs.comparing.seeds import training_key
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Scores
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning import verdict
from cnnstudio.tuning.study import Study
from tests.training.networks import tiny

CASES, ALLOWED = 1000, 50
MEAN, DEVIATION = 0.334, 0.043
LOOKS = {
    "one of each": [(1, 1)],
    "three of each": [(1, 1), (3, 3)],
    "the window's button": [(1, 1), (3, 3), (5, 5), (10, 10), (20, 20)],
    "one of each more": [(count, count) for count in range(1, 13)],
    "stopped in between": [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3), (4, 4), (5, 4), (5, 5)],
}
NETWORKS = (tiny(), edits.remove(tiny(), [tiny().nodes[1].id]))


@dataclass
class DrawnRun:
    """A completed run with a drawn accuracy; what the comparisons read of a Run."""

    recipe: Recipe
    accuracy: float
    network: Network = NETWORKS[0]
    folder: Path = Path("run")
    status: str = "completed"
    dataset_fingerprint: str = "abc"
    start_weights: str | None = None
    continued_from: str = ""
    test_images: int = 10_000
    test: Scores = field(init=False)

    def __post_init__(self) -> None:
        self.test = Scores(1.0, self.accuracy)


@cache
def recipe(seed: int = 0, learning_rate: float = 0.1) -> Recipe:
    """Made once: of hundreds of thousands, the checks of the values would take most of the time."""
    return Recipe(seed=seed, learning_rate=learning_rate)


def drawn(
    random: Random, count: int, network: Network = NETWORKS[0], learning_rate: float = 0.1
) -> list[Run]:
    recipes = [recipe(seed, learning_rate) for seed in range(count)]
    return cast(list[Run], [DrawnRun(each, random.gauss(MEAN, DEVIATION), network) for each in recipes])


def test_runs_with_other_start_weights_are_other_trainings() -> None:
    run = DrawnRun(Recipe(seed=1), 0.5)
    again, pretrained = (
        dataclasses.replace(run, recipe=Recipe(seed=2)),
        dataclasses.replace(run, start_weights="w"),
    )
    assert training_key(cast(Run, run)) == training_key(cast(Run, again))
    assert training_key(cast(Run, run)) != training_key(cast(Run, pretrained))


@pytest.mark.parametrize("looks", LOOKS)
def test_two_designs_compared_as_in_the_window(looks: str) -> None:
    random, alarms = Random(1), 0
    for _ in range(CASES):
        groups = [drawn(random, 20, network) for network in NETWORKS]
        for numbers in LOOKS[looks]:
            known = CompletedRuns(run for group, n in zip(groups, numbers, strict=True) for run in group[:n])
            pair = known.best_pair(*NETWORKS)
            assert tuple(map(len, pair)) == numbers
            result = compare_trainings(*pair, "more", known=pair[0]).result
            if result is not None and result.is_significant:
                alarms += 1
                break
    assert alarms <= ALLOWED


@pytest.mark.parametrize("looks", LOOKS)
def test_two_recipes_compared_as_on_the_command_line(looks: str) -> None:
    random, alarms = Random(2), 0
    for _ in range(CASES):
        first, second = drawn(random, 20), drawn(random, 20, learning_rate=0.5)
        results = (compare_trainings(first[:n], second[:m], "more").result for n, m in LOOKS[looks])
        alarms += any(result is not None and result.is_significant for result in results)
    assert alarms <= ALLOWED


SEARCHES = {
    "no other seeds": [(0, 0)],
    "other seeds": [(0, 0), (3, 3)],
    "stopped between the two": [(0, 0), (3, 0)],
    "resumed again and again": [(0, 0), (1, 0), (1, 1), (3, 1), (3, 3), (5, 3), (5, 5)],
}


@pytest.mark.parametrize("looks", SEARCHES)
def test_the_best_of_many_trials_that_are_all_alike(looks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random, alarms = Random(3), 0
    folders: dict[Path, Sequence[Run]] = {}
    monkeypatch.setattr(verdict, "list_runs", lambda folder=Path(): list(folders.get(folder, ())))
    for _ in range(CASES):
        study = _search(random)
        rates = {study.baseline.number: 0.1, study.best.number: study.best.number / 100}
        seeds = {number: drawn(random, 5, learning_rate=rate) for number, rate in rates.items()}
        for counts in SEARCHES[looks]:
            for trial, count in zip((study.baseline, study.best), counts, strict=True):
                folders[study.seeds_folder(trial)] = seeds[trial.number][:count]
            result = verdict.search_verdict(cast(Study, study)).result
            if result is not None and result.is_significant:
                alarms += 1
                break
    assert alarms <= ALLOWED


def _search(random: Random) -> Any:
    """Twenty trials whose settings make no difference; the one that happens to be best is the best."""
    runs = drawn(random, 20)
    for number, run in enumerate(runs[1:], 1):
        cast(Any, run).recipe = recipe(0, number / 100)
    trials = [SimpleNamespace(number=number, state="completed") for number in range(len(runs))]

    def accuracy(trial: Any) -> float:
        scores = runs[trial.number].test
        assert scores is not None
        return scores.accuracy

    return SimpleNamespace(
        folder=Path("search"),
        trials=trials,
        baseline=trials[0],
        best=max(trials[1:], key=accuracy),
        run=lambda trial: runs[trial.number],
        seeds_folder=lambda trial: Path(f"seeds-{trial.number}"),
    )
