"""The results of two trainings side by side, each with its seeds: do they differ by more than chance?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.formatting import plural
from cnnstudio.design.network import Network
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.seeds import accuracies, same_training, training_key
from cnnstudio.runs.significance import Spread, Verdict, compare, in_words, sentence


@dataclass(frozen=True)
class Judged:
    """Two groups of runs, each the same training with other seeds."""

    spreads: tuple[Spread | None, Spread | None]
    """Of the accuracies on the test images; None where none was tested."""
    verdict: Verdict | None
    """None where the two do not compare."""
    sentence: str
    """The same in words; empty where there is nothing to say."""


def judge(first: Sequence[Run], second: Sequence[Run], more: str, which: str = "second accuracy") -> Judged:
    """Compares two groups, in the words that `noise.sentence` knows. Raises RunError."""
    spreads = accuracies(first), accuracies(second)
    before, now = spreads
    if before is None or now is None:
        return Judged(spreads, None, "")
    one, other = first[0], second[0]
    if one.dataset_fingerprint != other.dataset_fingerprint:
        words = "They were trained with other images, so that their accuracies do not compare."
        return Judged(spreads, None, words)
    if same_training(one, other):
        runs = {run.recipe.seed: run for group in (first, second) for run in group}
        seeds = accuracies(runs.values()) or before
        if first == second and len(first) == 1:
            return Judged(spreads, None, "")
        found = f"over {plural(len(seeds.values), 'seed')} the test accuracy is {in_words(seeds)}"
        return Judged(spreads, None, f"The two are the same training but for the seed: {found}.")
    verdict = compare(before, now, min(one.test_images, other.test_images))
    return Judged(spreads, verdict, sentence(before, now, verdict, more, which))


class Results:
    """What is known of designs from runs that came to their end, the newest first."""

    def __init__(self, runs: Iterable[Run]) -> None:
        """Reads designs and recipes; may take a while, in any thread."""
        groups: dict[object, dict[int, Run]] = {}
        for run in runs:
            with contextlib.suppress(RunError):
                if run.status == "completed" and run.test is not None:
                    groups.setdefault(training_key(run), {}).setdefault(run.recipe.seed, run)
        self._groups = [[runs[seed] for seed in sorted(runs)] for runs in groups.values()]

    def of(self, network: Network) -> list[list[Run]]:
        """The trainings of the design, each with its seeds."""
        wanted = network.input, network.nodes
        return [group for group in self._groups if (group[0].network.input, group[0].network.nodes) == wanted]

    @property
    def trainings(self) -> list[list[Run]]:
        """All that are known, each with its seeds."""
        return self._groups

    def pair(self, before: Network, now: Network, run: Path | None = None) -> tuple[list[Run], list[Run]]:
        """A training of each design, of those that compare best; empty for one that was not trained.

        Where `run` is one of the first design, its training is meant.
        """
        first, second = self.of(before), self.of(now)
        first = [group for group in first if any(each.folder == run for each in group)] or first
        if not first or not second:
            return (first or [[]])[0], (second or [[]])[0]
        pairs = [(one, other) for one in first for other in second]
        return max(pairs, key=lambda pair: _likeness(*pair))


def same_recipe(first: Sequence[Run], second: Sequence[Run]) -> bool:
    """Whether two trainings differ in their design at the most. Raises RunError."""
    return training_key(first[0])[1:] == training_key(second[0])[1:]


def _likeness(first: list[Run], second: list[Run]) -> tuple[bool, bool, int]:
    """Same images, same recipe, many seeds; among equals the newest come first."""
    one, other = training_key(first[0]), training_key(second[0])
    return one[1] == other[1], one[2] == other[2], min(len(first), len(second))
