"""What a confusion matrix shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnstudio.gui.widgets.plain_text import plain_line

Cell = tuple[int, int]
"""(actual, predicted) classes."""

MAX_NAME = 60
"""Characters of a class's name."""


@dataclass(frozen=True, eq=False)
class MatrixContent:
    """The counts and scores of a run at an epoch. Raises ValueError for arrays that do not fit each other."""

    counts: np.ndarray
    """int64 (K, K), rows are actual classes, columns predicted ones."""
    names: tuple[str, ...]
    recall: np.ndarray
    """float64 (K,), 0 to 1; NaN for a class without images."""
    precision: np.ndarray
    """float64 (K,), 0 to 1; NaN for a class that is never predicted."""

    def __post_init__(self) -> None:
        size = len(self.names)
        if self.counts.shape != (size, size) or {self.recall.shape, self.precision.shape} != {(size,)}:
            raise ValueError("the confusion matrix does not fit the classes of the run")

    @cached_property
    def shown_names(self) -> tuple[str, ...]:
        """The names as they are shown."""
        return tuple(plain_line(name, MAX_NAME) for name in self.names)

    @cached_property
    def totals(self) -> np.ndarray:
        """The number of images of each actual class: int64 (K,)."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def mistakes(self) -> np.ndarray:
        """The counts without the diagonal: int64 (K, K)."""
        counts = self.counts.copy()
        np.fill_diagonal(counts, 0)
        return counts

    @cached_property
    def largest(self) -> tuple[float, float]:
        """The largest values on the diagonal and off it, at least 1, which have the strongest tints."""
        diagonal, off = self.counts.diagonal().max(initial=0), self.mistakes.max(initial=0)
        return max(float(diagonal), 1.0), max(float(off), 1.0)

    def share(self, cell: Cell) -> float:
        """The share of the images of the actual class that are in the cell; 0 for a class without images."""
        total = int(self.totals[cell[0]])
        return int(self.counts[cell]) / total if total else 0.0

    def text(self, cell: Cell, *, as_share: bool) -> str:
        """What stands in the cell: `34`, or `17` percent; `·` for 0."""
        count = int(self.counts[cell])
        if not count:
            return "·"
        if as_share:
            share = 100 * self.share(cell)
            return f"{share:.0f}" if share >= 0.5 else "<1"
        return str(count) if count < 10_000 else f"{count / 1000:.0f}k"

    def describe(self, cell: Cell) -> str:
        """`dog predicted as cat: 34 of 200 (17.0%)`."""
        actual, predicted = (self.shown_names[each] for each in cell)
        count, total = int(self.counts[cell]), int(self.totals[cell[0]])
        share = f"{count:,} of {total:,} ({100 * self.share(cell):.1f}%)"
        if cell[0] == cell[1]:
            return f"{actual} predicted correctly: {share}"
        return f"{actual} predicted as {predicted}: {share}"
