"""Compares the results of two trainings, each with all its seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.runs.comparing.seeds import PlannedRun, accuracy_statistics, same_training, training_key
from cnnstudio.runs.comparing.significance import (
    KnownSpread,
    SeedStatistics,
    TestResult,
    compare,
    describe_comparison,
    format_accuracy,
)
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

K = TypeVar("K")


@dataclass(frozen=True)
class TrainingComparison:
    """The test accuracies of two trainings, and whether they differ."""

    statistics: tuple[SeedStatistics | None, SeedStatistics | None]
    """Of each training's accuracies on the test set; None if none of its runs was tested."""
    result: TestResult | None
    """None if the two cannot be compared."""
    text: str
    """The result in words; empty if there is nothing to say."""


def compare_trainings(
    first: Sequence[Run],
    second: Sequence[Run],
    more: str,
    which: str = "second accuracy",
    known: Iterable[Run] = (),
) -> TrainingComparison:
    """Compares two groups of runs, each the same training with different seeds. Raises RunError.

    `more` and `which` are those of `describe_comparison`. Among the `known` runs it looks for the spread of
    seeds if there is only one run of each; otherwise they are not read.
    """
    statistics = accuracy_statistics(first), accuracy_statistics(second)
    first_statistics, second_statistics = statistics
    if first_statistics is None or second_statistics is None:
        return TrainingComparison(statistics, None, "")
    one, other = first[0], second[0]
    if one.dataset_fingerprint != other.dataset_fingerprint:
        text = "They were trained on different images, so their accuracies cannot be compared."
        return TrainingComparison(statistics, None, text)
    if same_training(one, other):
        return TrainingComparison(statistics, None, _same_training_text(first, second))
    result = compare(first_statistics, second_statistics, min(one.test_images, other.test_images))
    is_single = len(first) == len(second) == 1
    spread = _known_spread(one, other, CompletedRuns(known)) if is_single else None
    text = describe_comparison(first_statistics, second_statistics, result, more, which, spread)
    return TrainingComparison(statistics, result, text)


def _known_spread(one: Run, other: Run, known: CompletedRuns) -> KnownSpread | None:
    """Of one of the two designs, or else of a template, trained on these images with the most seeds."""
    own = [(run.network, "one of these designs") for run in (one, other)]
    others = ((each.network, f"the template {each.title}") for each in templates().values())
    for named in (own, others):
        groups = [
            (group, name)
            for network, name in named
            for group in known.of_network(network)
            if len(group) > 1 and group[0].dataset_fingerprint == one.dataset_fingerprint
        ]
        if not groups:
            continue
        group, name = max(groups, key=lambda each: len(each[0]))
        statistics = accuracy_statistics(group)
        recipes = {training_key(run)[2] for run in (one, other)}
        source = name if training_key(group[0])[2] in recipes else f"{name}, with another recipe,"
        return KnownSpread(statistics, source) if statistics is not None else None
    return None


def _same_training_text(first: Sequence[Run], second: Sequence[Run]) -> str:
    """The statistics over all seeds of both; nothing for a single run compared with itself."""
    if first == second and len(first) == 1:
        return ""
    runs = {run.recipe.seed: run for group in (first, second) for run in group}
    statistics = accuracy_statistics(runs.values())
    if statistics is None:
        return ""
    seeds = pluralize(len(statistics.values), "seed")
    return (
        f"Both are the same training except for the seed. Test accuracy over {seeds}: "
        f"{format_accuracy(statistics)}."
    )


class CompletedRuns:
    """Completed runs, grouped by training: each group has one run per seed."""

    def __init__(self, runs: Iterable[Run]) -> None:
        """Reads the design and recipe of each run, which may take a while; can be called on any thread."""
        groups: dict[object, dict[int, Run]] = {}
        self.unfinished: list[Run] = []
        """The others that can be read."""
        for run in runs:
            with contextlib.suppress(RunError):
                key = training_key(run)
                if run.status == "completed" and run.test is not None:
                    groups.setdefault(key, {}).setdefault(run.recipe.seed, run)
                else:
                    self.unfinished.append(run)
        self._groups = [[runs[seed] for seed in sorted(runs)] for runs in groups.values()]

    @property
    def trainings(self) -> list[list[Run]]:
        """All groups, in the order of their first runs as given."""
        return self._groups

    def of_network(self, network: Network) -> list[list[Run]]:
        """The groups that trained the network, which may have another name."""
        wanted = network.input, network.nodes
        return [group for group in self._groups if (group[0].network.input, group[0].network.nodes) == wanted]

    def best_pair(
        self, first: Network, second: Network, run: Path | None = None
    ) -> tuple[list[Run], list[Run]]:
        """One group of each network, chosen so that the two compare best; empty for an untrained network.

        If `run` is one of the first network's runs, its group is used.
        """
        ones, others = self.of_network(first), self.of_network(second)
        ones = [group for group in ones if any(each.folder == run for each in group)] or ones
        if not ones or not others:
            return (ones or [[]])[0], (others or [[]])[0]
        return max(((one, other) for one in ones for other in others), key=lambda pair: _comparability(*pair))


def same_recipe(first: Sequence[Run], second: Sequence[Run]) -> bool:
    """Whether two trainings differ at most in their design. Raises RunError."""
    return training_key(first[0])[1:] == training_key(second[0])[1:]


def _comparability(first: list[Run], second: list[Run]) -> tuple[bool, bool, int]:
    """Same images, then same recipe, then many seeds. `max` takes the first, newest pair among equals."""
    one, other = training_key(first[0]), training_key(second[0])
    return one[1] == other[1], one[2] == other[2], min(len(first), len(second))


def in_turn(*groups: tuple[K, Sequence[PlannedRun]]) -> list[tuple[K, PlannedRun]]:
    """One run of each group, then the next of each: whenever it is stopped, they have about as many."""
    rows = zip_longest(*([(key, run) for run in runs] for key, runs in groups))
    return [each for row in rows for each in row if each is not None]
