"""Numbers of a curve, as many as a run gives, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MAXIMUM_POINTS = 400_000
"""Every number is kept up to here, 250 epochs of CIFAR-10 at batch 32; then the extremes of every four."""


_MOST_MEANS = 512
_REACH = 3
"""Neighbors on either side that calm a mean of a trend."""


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

    def _visible(self, low: float, high: float) -> tuple[int, int]:
        """The indexes of the points from `low` to `high` and of one neighbor on either side."""
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


class Trend:
    """What a noisy curve comes to: means of equally many points, calmed once more by their neighbors.

    Unlike a running mean it does not lag behind. Where there are too many means, every two become one.
    """

    def __init__(self, points_per_mean: int = 1) -> None:
        self._size = max(points_per_mean, 1)
        self._means: list[tuple[float, float]] = []
        self._open: list[tuple[float, float]] = []

    def extend(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Adds points behind the last one. What is not finite is left out."""
        for point in zip(map(float, x), map(float, y), strict=True):
            if math.isfinite(point[1]):
                self._open.append(point)
            if len(self._open) == self._size:
                self._means.append(_mean(self._open))
                self._open = []
                self._keep_few()

    def _keep_few(self) -> None:
        if len(self._means) == _MOST_MEANS:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [_mean(pair) for pair in pairs]
            self._size *= 2

    def cut(self, x: float) -> None:
        """Takes away what is from `x` on."""
        self._means = [mean for mean in self._means if mean[0] < x]
        self._open = [point for point in self._open if point[0] < x]

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """The trend, at most some 500 points."""
        # A mean of few points would wag at the curve's end.
        is_open = self._open and (2 * len(self._open) >= self._size or not self._means)
        means = [*self._means, _mean(self._open)] if is_open else self._means
        if not means:
            return np.empty(0), np.empty(0)
        x, y = np.array(means, dtype=np.float64).T
        weights = np.bartlett(2 * _REACH + 3)[1:-1]
        # At the ends there are fewer neighbors.
        total = np.convolve(np.ones_like(y), weights)[_REACH : _REACH + len(y)]
        return x, np.convolve(y, weights)[_REACH : _REACH + len(y)] / total


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
