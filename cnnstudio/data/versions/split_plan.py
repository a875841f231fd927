"""How test images are held out where a data set has none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import DataError, Labels, Rows, stratified_split

TEST_FRACTION = 0.2
"""Of each class, if there are no test images."""
_MAX_PATTERN = 1_000
_MAX_SEED = 2**63


@dataclass(frozen=True)
class SplitPlan:
    """A share of each class, chosen by a seed; with `groups`, images of one group stay on one side."""

    seed: int = 0
    share: float = TEST_FRACTION
    groups: str = ""
    """A regular expression. Images in whose file names it finds the same text are a group."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise DataError(f"The share of test images must be between 0 and 1, got {self.share:g}.")
        if not 0 <= self.seed < _MAX_SEED:
            raise DataError(f"The seed must be an integer of 0 or more, got {self.seed}.")
        if len(self.groups) > _MAX_PATTERN:
            raise DataError(f"The pattern for groups must have at most {_MAX_PATTERN:,} characters.")
        try:
            re.compile(self.groups)
        except (re.error, RecursionError, OverflowError) as error:
            raise DataError(
                f"“{shorten(self.groups, 100)}” is not a regular expression: {error}. For names such as "
                "cat7_left.jpg, use [^_]+."
            ) from None

    @property
    def is_default(self) -> bool:
        return self == SplitPlan()

    def hold_out(self, labels: Labels, names: Sequence[str]) -> tuple[Rows, Rows]:
        """(training rows, test rows), both ascending. `labels` is int64 (N,), `names` are file names.

        Raises DataError if nothing can be held out.
        """
        if not self.groups:
            return stratified_split(labels, self.share, self.seed)
        groups = self._group_numbers(names)
        in_training = np.ones(groups.max(initial=0) + 1, bool)
        random = np.random.default_rng(self.seed)
        is_decided = np.zeros(len(in_training), bool)
        for label in np.unique(labels):
            found, sizes = np.unique(groups[labels == label], return_counts=True)
            # A group with images of several classes goes where its first class puts it.
            free = random.permutation(np.flatnonzero(~is_decided[found]))
            wanted = max(round(sizes.sum() * self.share), 1) - sizes[~in_training[found]].sum()
            keeps_one = not in_training[found][is_decided[found]].any()
            for index in free[: len(free) - keeps_one]:
                if wanted <= 0:
                    break
                in_training[found[index]] = False
                wanted -= sizes[index]
            is_decided[found] = True
        chosen = in_training[groups]
        for label in np.unique(labels):
            if chosen[labels == label].all() or not chosen[labels == label].any():
                raise DataError(
                    f"The pattern “{shorten(self.groups, 100)}” puts all images of a class into one group: "
                    "there are none left to test with. Use a pattern that tells objects apart."
                )
        return np.flatnonzero(chosen), np.flatnonzero(~chosen)

    def count_groups(self, names: Sequence[str]) -> int:
        """How many groups of two and more images the pattern finds in these file names."""
        return int((np.bincount(self._group_numbers(names)) > 1).sum()) if len(names) else 0

    def _group_numbers(self, names: Sequence[str]) -> Rows:
        """The number of each image's group, intp (N,). One in which nothing is found is alone in its own."""
        pattern, numbers = re.compile(self.groups), dict[tuple[str, str], int]()
        found = np.empty(len(names), np.intp)
        for row, name in enumerate(names):
            match = pattern.search(name)
            key = ("group", match[pattern.groups and 1] or "") if match else ("alone", str(row))
            found[row] = numbers.setdefault(key, len(numbers))
        return found

    def to_json(self) -> dict[str, Any]:
        return {"seed": self.seed, "share": self.share, "groups": self.groups}

    @classmethod
    def from_json(cls, value: Any) -> SplitPlan:
        """The plan that `to_json` wrote; the default for anything else."""
        try:
            return cls(int(value["seed"]), float(value["share"]), str(value["groups"]))
        except (TypeError, ValueError, LookupError, OverflowError, DataError):
            return cls()
