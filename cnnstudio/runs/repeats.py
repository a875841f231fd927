"""Runs that differ in their seed alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from cnnstudio.layers.params import values_to_json
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.noise import Spread
from cnnstudio.runs.run import Run, list_runs


def repeats(run: Run, among: Iterable[Run] | None = None) -> list[Run]:
    """The run and those beside it in its folder that trained the same with other seeds to the end.

    Of the same seed there is one, the run itself first: trained twice it says nothing new.
    """
    key = _key(run)
    found = {run.recipe.seed: run}
    for other in list_runs(run.folder.parent) if among is None else among:
        with contextlib.suppress(RunError):
            if other.status == "completed" and other.test is not None and _key(other) == key:
                found.setdefault(other.recipe.seed, other)
    return [found[seed] for seed in sorted(found)]


def first_repeat(folder: Path) -> Run:
    """Of the runs in that folder the one with the lowest seed. Raises RunError."""
    runs = list_runs(folder)
    if not runs:
        raise RunError(f"There are no runs in {folder} that could go on.")
    return min(runs, key=lambda run: run.recipe.seed)


def same_training(first: Run, second: Run) -> bool:
    """Whether two runs differ in their seed at the most. Raises RunError."""
    return _key(first) == _key(second)


def accuracies(runs: Iterable[Run]) -> Spread | None:
    """The accuracies on the test pictures, of those that were tested."""
    values = tuple(run.test.accuracy for run in runs if run.test is not None)
    return Spread(values) if values else None


def _key(run: Run) -> object:
    """What makes two runs the same training. Raises RunError."""
    recipe = values_to_json(run.recipe)
    # How many parts a batch is computed in is a matter of memory.
    for free in ("seed", "accumulate"):
        del recipe[free]
    network = run.network
    return network.input, network.nodes, run.dataset_fingerprint, recipe
