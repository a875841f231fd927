"""Runs that differ in their seed alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import plural
from cnnstudio.core.parameters import values_to_json
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run, list_runs
from cnnstudio.runs.significance import Spread, in_words
from cnnstudio.training.events import Finished, Outcome
from cnnstudio.training.recipe.recipe import Recipe

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Repeated:
    """How the same training ended with several seeds: each seed with its end."""

    ends: tuple[tuple[int, Finished], ...]

    @property
    def outcomes(self) -> set[Outcome]:
        return {end.outcome for _, end in self.ends}

    @property
    def completed(self) -> list[tuple[int, Finished]]:
        """Those that came to their end and were tested."""
        return [(seed, end) for seed, end in self.ends if end.outcome == "completed" and end.test is not None]

    @property
    def accuracy(self) -> Spread | None:
        """On the test images; None where no run came so far."""
        values = tuple(end.test.accuracy for _, end in self.completed if end.test is not None)
        return Spread(values) if values else None

    @property
    def loss(self) -> Spread | None:
        """On the test images; None where no run came so far."""
        values = tuple(end.test.loss for _, end in self.completed if end.test is not None)
        return Spread(values) if values else None

    @property
    def sentence(self) -> str:
        """`Test accuracy over 5 runs: 65.2 ± 1.1% (mean ± standard deviation)`."""
        if self.accuracy is None:
            return "No run came to its end, so that there is nothing to take the mean of"
        runs = plural(len(self.completed), "run")
        words = f"Test accuracy over {runs}: {in_words(self.accuracy)}"
        return f"{words} (mean ± standard deviation)" if self.accuracy.deviation is not None else words


def seeded(recipe: Recipe, seeds: int) -> list[Recipe]:
    """The recipe with so many seeds in a row, from its own on. Raises UserError for a senseless number."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"a whole number from 1 to {MOST_SEEDS:,} is needed, not {seeds:,}")
    return [recipe.replace(seed=recipe.seed + number) for number in range(seeds)]


def train_each(recipes: Iterable[Recipe], train: Callable[[Recipe], Finished]) -> Repeated:
    """Trains with one after the other. One that fails does not keep the others back; one stopped does."""
    ends: list[tuple[int, Finished]] = []
    for recipe in recipes:
        ends.append((recipe.seed, train(recipe)))
        if ends[-1][1].outcome == "stopped":
            break
    return Repeated(tuple(ends))


def repeats(run: Run, among: Iterable[Run] | None = None) -> list[Run]:
    """The run and those beside it in its folder that trained the same with other seeds to the end.

    Of the same seed there is one, the run itself first: trained twice it says nothing new.
    """
    key = training_key(run)
    found = {run.recipe.seed: run}
    for other in list_runs(run.folder.parent) if among is None else among:
        with contextlib.suppress(RunError):
            if other.status == "completed" and other.test is not None and training_key(other) == key:
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
    return training_key(first) == training_key(second)


def accuracies(runs: Iterable[Run]) -> Spread | None:
    """The accuracies on the test images, of those that were tested."""
    values = tuple(run.test.accuracy for run in runs if run.test is not None)
    return Spread(values) if values else None


def training_key(run: Run) -> tuple[Hashable, str, Hashable]:
    """What makes two runs the same training: the design, the images, the recipe. Raises RunError."""
    recipe = values_to_json(run.recipe)
    # How many parts a batch is computed in is a matter of memory.
    for free in ("seed", "accumulate"):
        del recipe[free]
    network = run.network
    return (network.input, network.nodes), run.dataset_fingerprint, tuple(recipe.items())
