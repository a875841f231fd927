"""Runs that differ only in their seed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import values_to_json
from cnnstudio.design.network import Network
from cnnstudio.runs.comparing.significance import SeedStatistics, format_accuracy
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Finished, Outcome
from cnnstudio.training.recipe.recipe import Recipe

MAX_SEEDS = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class SeedSweep:
    """The results of the same training with several seeds."""

    results: tuple[tuple[int, Finished], ...]
    """Each seed with the last event of its run."""

    @classmethod
    def of(cls, trained: Iterable[tuple[Recipe, Finished]]) -> SeedSweep:
        """The results of `train_in_turn`."""
        return cls(tuple((recipe.seed, finished) for recipe, finished in trained))

    @property
    def outcomes(self) -> set[Outcome]:
        return {finished.outcome for _, finished in self.results}

    @property
    def completed(self) -> list[tuple[int, Finished]]:
        """The results of the runs that completed and were tested."""
        return [
            (seed, finished)
            for seed, finished in self.results
            if finished.outcome == "completed" and finished.test is not None
        ]

    @property
    def accuracy(self) -> SeedStatistics | None:
        """On the test set; None if no run completed."""
        values = tuple(finished.test.accuracy for _, finished in self.completed if finished.test is not None)
        return SeedStatistics(values) if values else None

    @property
    def loss(self) -> SeedStatistics | None:
        """On the test set; None if no run completed."""
        values = tuple(finished.test.loss for _, finished in self.completed if finished.test is not None)
        return SeedStatistics(values) if values else None

    @property
    def summary(self) -> str:
        """`Test accuracy over 5 runs: 65.2 ± 1.1% (mean ± standard deviation)`, without a period."""
        if self.accuracy is None:
            return "No run completed, so there is no mean to report"
        runs = pluralize(len(self.completed), "run")
        text = f"Test accuracy over {runs}: {format_accuracy(self.accuracy)}"
        return f"{text} (mean ± standard deviation)" if self.accuracy.std is not None else text


def with_consecutive_seeds(recipe: Recipe, seeds: int) -> list[Recipe]:
    """The recipe with that many consecutive seeds, from its own. Raises UserError for an invalid number."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise UserError(f"must be an integer from 1 to {MAX_SEEDS:,}, got {seeds:,}")
    return [recipe.replace(seed=recipe.seed + offset) for offset in range(seeds)]


def train_in_turn(planned: Iterable[T], train: Callable[[T], Finished]) -> Iterator[tuple[T, Finished]]:
    """Trains each of the planned runs. A failed run does not end the row; a stopped one does.

    Raises what `train` raises, such as TrainingError if a run cannot start; that ends the row.
    """
    for each in planned:
        finished = train(each)
        yield each, finished
        if finished.outcome == "stopped":
            break


@dataclass(frozen=True)
class Training:
    """A network, and what it is trained with; runs of the same training differ only in their seed."""

    network: Network
    recipe: Recipe
    dataset_name: str
    """The name or folder by which `find_source` finds the images."""
    weights: str | None = None
    """Start weights, as in `RunOptions`."""

    @classmethod
    def of(cls, run: Run) -> Training:
        """Raises RunError, also for a run that began in another one (`Run.require_repeatable`)."""
        run.require_repeatable()
        return cls(run.network, run.recipe, run.dataset_name, run.start_weights)


@dataclass(frozen=True)
class PlannedRun:
    """A run that is still to be trained: a new one, or the rest of one that was stopped."""

    training: Training
    """With the seed of this run."""
    folder: Path | None = None
    """The folder of the run to resume; None for a new run."""


def plan_seeds(
    training: Training, completed: Sequence[Run], seeds: int, among: Iterable[Run] = ()
) -> list[PlannedRun]:
    """The runs that are missing for `completed`, runs of the training, to have that many seeds.

    They have the next seeds. A run with such a seed `among` the given ones that was stopped is resumed, so
    that nothing is trained twice.
    """
    done = {run.recipe.seed for run in completed}
    first = min(done, default=training.recipe.seed)
    wanted = list(islice((seed for seed in count(first) if seed not in done), max(seeds - len(done), 0)))
    begun: dict[int, Path] = {}
    for run in among:
        with contextlib.suppress(RunError):
            if run.recipe.seed in wanted and _is_resumable(run) and _is_of(run, training, completed):
                begun.setdefault(run.recipe.seed, run.folder)
    return [
        PlannedRun(replace(training, recipe=training.recipe.replace(seed=seed)), begun.get(seed))
        for seed in wanted
    ]


def _is_resumable(run: Run) -> bool:
    return run.status in ("stopped", "interrupted") and run.has_checkpoint and run.is_of_this_machine


def _is_of(run: Run, training: Training, completed: Sequence[Run]) -> bool:
    """Whether a run is of the training, which its completed runs know better than the name of the images."""
    if completed:
        return same_training(run, completed[0])
    network = training.network
    return (
        (run.network.input, run.network.nodes) == (network.input, network.nodes)
        and run.dataset_name == training.dataset_name
        and _recipe_key(run.recipe) == _recipe_key(training.recipe)
    )


def find_seed_runs(run: Run, among: Iterable[Run] | None = None) -> list[Run]:
    """The run and all completed runs of the same training with other seeds, in the order of their seeds.

    Searches `among`, by default the runs in the same parent folder. There is one run per seed, the given run
    first: on the same hardware a second one gives the same result, and counting it twice would make the
    spread look smaller than it is. Raises RunError if `run` cannot be read; others that cannot are skipped.
    """
    key = training_key(run)
    found = {run.recipe.seed: run}
    for other in list_runs(run.folder.parent) if among is None else among:
        with contextlib.suppress(RunError):
            if other.status == "completed" and other.test is not None and training_key(other) == key:
                found.setdefault(other.recipe.seed, other)
    return [found[seed] for seed in sorted(found)]


def lowest_seed_run(folder: Path) -> Run:
    """The run with the lowest seed in that folder. Raises RunError."""
    runs = list_runs(folder)
    if not runs:
        raise RunError(f"There are no runs to resume in {folder}.")
    return min(runs, key=lambda run: run.recipe.seed)


def same_training(first: Run, second: Run) -> bool:
    """Whether two runs differ at most in their seed. Raises RunError."""
    return training_key(first) == training_key(second)


def accuracy_statistics(runs: Iterable[Run]) -> SeedStatistics | None:
    """Of the accuracies on the test set; None if none of the runs was tested."""
    values = tuple(run.test.accuracy for run in runs if run.test is not None)
    return SeedStatistics(values) if values else None


def training_key(run: Run) -> tuple[Hashable, str, Hashable]:
    """(design, images, recipe without the seed): equal for two runs of the same training. Raises RunError."""
    network = run.network
    start = run.start_weights or network.weights or ""
    design = network.input, network.nodes, start, run.continued_from
    return design, run.dataset_fingerprint, _recipe_key(run.recipe)


def _recipe_key(recipe: Recipe) -> Hashable:
    values = values_to_json(recipe)
    # Gradient accumulation changes how a batch is computed, not what is learned from it.
    for irrelevant in ("seed", "accumulate"):
        del values[irrelevant]
    return tuple(values.items())
