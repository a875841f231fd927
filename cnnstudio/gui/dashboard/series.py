"""Numbers of a curve, as many as a run gives, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MAXIMUM_POINTS = 400_000
"""Every number is kept up to here, 250 epochs of CIFAR-10 at batch 32; then the extremes of every four."""


class Series:
    """Points with rising x. Adding is cheap; the arrays are views, valid until the next change."""

    def __init__(self, maximum: int = MAXIMUM_POINTS) -> None:
        self._maximum = maximum
        self._points = np.empty((2, 256), dtype=np.float64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def x(self) -> np.ndarray:
        """float64: pyqtgraph's search in float32 is ten thousand times slower."""
        return self._points[0, : self._count]

    @property
    def y(self) -> np.ndarray:
        return self._points[1, : self._count]

    def extend(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Adds points behind the last one. What is not finite is left out: it has no place in a plot."""
        added = np.array([x, y], dtype=np.float64)
        added = added[:, np.isfinite(added).all(axis=0)]
        needed = self._count + added.shape[1]
        if needed > self._points.shape[1]:
            grown = np.empty((2, max(needed, 2 * self._points.shape[1])), dtype=np.float64)
            grown[:, : self._count] = self._points[:, : self._count]
            self._points = grown
        self._points[:, self._count : needed] = added
        self._count = needed
        while self._count > self._maximum:
            self._halve()

    def cut(self, x: float) -> None:
        """Takes away the points from `x` on: a run that was taken up again goes there a second time."""
        self._count = int(np.searchsorted(self.x, x, side="left"))

    def at(self, x: float) -> float | None:
        """The value at or before `x`, the first one for an earlier `x`; None without points."""
        if not self._count:
            return None
        index = int(np.searchsorted(self.x, x, side="right")) - 1
        return float(self.y[max(index, 0)])

    def envelope(self, low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
        """About `points` points from x = `low` to `high`: the lowest and the highest of equal parts.

        The parts stay the same while points are added, so that a drawn curve does not shimmer.
        """
        first, last = self._visible(low, high)
        size = _power_of_two((last - first) * 2 / max(points, 2))
        if size <= 2:
            return self._points[0, first:last].copy(), self._points[1, first:last].copy()
        first -= first % size
        whole = (last - first) - (last - first) % size
        parts = self._points[1, first : first + whole].reshape(-1, size)
        extremes = np.stack([parts.min(axis=1), parts.max(axis=1)], axis=1).reshape(-1)
        places = np.repeat(self._points[0, first : first + whole : size], 2)
        rest = slice(first + whole, last)
        return (
            np.concatenate([places, self._points[0, rest]]),
            np.concatenate([extremes, self._points[1, rest]]),
        )

    def thinned(self, low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
        """About `points` points from `low` to `high`, equally far apart, and the last: for smooth curves."""
        first, last = self._visible(low, high)
        size = _power_of_two((last - first) / max(points, 2))
        chosen = np.arange(first - first % size, last, size)
        if last and (not len(chosen) or chosen[-1] != last - 1):
            chosen = np.append(chosen, last - 1)
        return self._points[0, chosen], self._points[1, chosen]

    def _visible(self, low: float, high: float) -> tuple[int, int]:
        """The indexes of the points from `low` to `high` and of one neighbour on either side."""
        first = int(np.searchsorted(self.x, low, side="left"))
        last = int(np.searchsorted(self.x, high, side="right"))
        return max(first - 1, 0), min(last + 1, self._count)

    def _halve(self) -> None:
        """Keeps the lowest and the highest of every four points, in their order, so that no peak is lost."""
        whole = self._count - self._count % 4
        fours = self._points[:, :whole].reshape(2, -1, 4)
        chosen = np.sort(np.stack([fours[1].argmin(axis=1), fours[1].argmax(axis=1)], axis=1), axis=1)
        kept = np.take_along_axis(fours, chosen[None], axis=2).reshape(2, -1)
        rest = self._points[:, whole : self._count].copy()
        self._count = kept.shape[1] + rest.shape[1]
        self._points[:, : kept.shape[1]] = kept
        self._points[:, kept.shape[1] : self._count] = rest


def _power_of_two(size: float) -> int:
    """The smallest power of two that is not below `size`; at least 1."""
    return 1 << max(math.ceil(size) - 1, 0).bit_length()


class Smoothed:
    """The running mean of what is given to it, in which the last `reach` values weigh most.

    An exponential mean, corrected for its start as in Kingma and Ba, Adam (2015), section 3.
    """

    def __init__(self, reach: float) -> None:
        self._keep = 1 - 1 / max(reach, 1)
        self._sum = 0.0
        self._weight = 0.0

    def extend(self, values: Sequence[float]) -> list[float]:
        """The mean after each of the values. What is not finite leaves it as it was."""
        means = []
        for value in values:
            if np.isfinite(value):
                self._sum = self._keep * self._sum + (1 - self._keep) * value
                self._weight = self._keep * self._weight + (1 - self._keep)
            means.append(self._sum / self._weight if self._weight else float("nan"))
        return means
