"""The points of a curve and its trend, in bounded memory however long the run is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MAXIMUM_POINTS = 400_000
"""Beyond this, 250 epochs of CIFAR-10 at batch size 32, only the extremes of every four points are kept."""

MAXIMUM_MEANS = 512
SMOOTHING_RADIUS = 3
"""The neighbors on either side with which a mean of the trend is averaged."""


class Series:
    """Points with increasing x. Appending is cheap; `x` and `y` are views, valid until the next change."""

    def __init__(self, maximum: int = MAXIMUM_POINTS) -> None:
        self._maximum = maximum
        self._points = np.empty((2, 256), dtype=np.float64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def capacity_bytes(self) -> int:
        """The memory of the points, with what is reserved for more."""
        return int(self._points.nbytes)

    @property
    def x(self) -> np.ndarray:
        """float64 (N,): pyqtgraph's search in a float32 array is ten thousand times slower."""
        return self._points[0, : self._count]

    @property
    def y(self) -> np.ndarray:
        """float64 (N,)."""
        return self._points[1, : self._count]

    def extend(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Appends points, all to the right of those before. Points that are NaN or infinite are skipped.

        `x` and `y` are numbers of any dtype, (n,) each; they are kept as float64. The cost per point is
        constant on average, because the array doubles when it is full.
        """
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

    def truncate(self, x: float) -> None:
        """Removes the points from `x` on: a resumed run trains those steps again."""
        self._count = int(np.searchsorted(self.x, x, side="left"))

    def at(self, x: float) -> float | None:
        """The value of the last point at or before `x`, else of the first point; None without points."""
        if not self._count:
            return None
        index = int(np.searchsorted(self.x, x, side="right")) - 1
        return float(self.y[max(index, 0)])

    def envelope(self, low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
        """About `points` points between x = `low` and `high`: the minimum and maximum of equal bins.

        Returns x and y, float64 (n,) each, as copies. The cost grows with the visible points, not with all.

        Bins have a size that is a power of two and begin at multiples of it, so that they stay the same while
        points are added: a growing curve does not flicker.
        """
        first, last = self._visible(low, high)
        size = _next_power_of_two((last - first) * 2 / max(points, 2))
        if size <= 2:
            return self._points[0, first:last].copy(), self._points[1, first:last].copy()
        first -= first % size
        whole = (last - first) - (last - first) % size
        bins = self._points[1, first : first + whole].reshape(-1, size)
        extremes = np.stack([bins.min(axis=1), bins.max(axis=1)], axis=1).reshape(-1)
        positions = np.repeat(self._points[0, first : first + whole : size], 2)
        rest = slice(first + whole, last)
        return (
            np.concatenate([positions, self._points[0, rest]]),
            np.concatenate([extremes, self._points[1, rest]]),
        )

    def _visible(self, low: float, high: float) -> tuple[int, int]:
        """The index range of the points from `low` to `high`, with one neighbor on either side."""
        first = int(np.searchsorted(self.x, low, side="left"))
        last = int(np.searchsorted(self.x, high, side="right"))
        return max(first - 1, 0), min(last + 1, self._count)

    def _halve(self) -> None:
        """Keeps the minimum and maximum of every four points, in their order, so that no peak is lost."""
        whole = self._count - self._count % 4
        fours = self._points[:, :whole].reshape(2, -1, 4)
        chosen = np.sort(np.stack([fours[1].argmin(axis=1), fours[1].argmax(axis=1)], axis=1), axis=1)
        kept = np.take_along_axis(fours, chosen[None], axis=2).reshape(2, -1)
        rest = self._points[:, whole : self._count].copy()
        self._count = kept.shape[1] + rest.shape[1]
        self._points[:, : kept.shape[1]] = kept
        self._points[:, kept.shape[1] : self._count] = rest


def _next_power_of_two(size: float) -> int:
    """The smallest power of two that is at least `size`, and at least 1."""
    return 1 << max(math.ceil(size) - 1, 0).bit_length()


class Trend:
    """The trend of a noisy curve: means of equally many points, smoothed with their neighbors.

    Unlike a running mean it does not lag behind. When there are too many means, pairs of them are merged.
    """

    def __init__(self, points_per_mean: int = 1) -> None:
        self._size = max(points_per_mean, 1)
        self._means = np.empty((2, 0))
        self._pending = np.empty((2, 0))

    def extend(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> None:
        """Appends points, all to the right of those before. Points with a NaN or infinite y are skipped.

        `x` and `y` are numbers of any dtype, (n,) each, and the means are taken in float64.
        """
        added = np.array([x, y], dtype=np.float64)
        self._pending = np.concatenate([self._pending, added[:, np.isfinite(added[1])]], axis=1)
        while self._pending.shape[1] >= self._size:
            # As many as fit before the means are merged, which makes each of them longer.
            free = MAXIMUM_MEANS - self._means.shape[1]
            count = min(self._pending.shape[1] // self._size, free)
            used = count * self._size
            means = self._pending[:, :used].reshape(2, count, self._size).mean(axis=2)
            self._means = np.concatenate([self._means, means], axis=1)
            self._pending = self._pending[:, used:]
            self._limit_means()

    def _limit_means(self) -> None:
        if self._means.shape[1] == MAXIMUM_MEANS:
            self._means = self._means.reshape(2, -1, 2).mean(axis=2)
            self._size *= 2

    def truncate(self, x: float) -> None:
        """Removes everything from `x` on."""
        self._means = self._means[:, self._means[0] < x]
        self._pending = self._pending[:, self._pending[0] < x]

    def curve(self, radius: int = SMOOTHING_RADIUS) -> tuple[np.ndarray, np.ndarray]:
        """The points of the trend, x and y: float64 (N,) with N up to about 500.

        Each is averaged with so many neighbors on either side.
        """
        x, y = self._all_means()
        radius = min(radius, max(len(y) - 1, 0))
        if not radius:
            return x, y
        weights = np.bartlett(2 * radius + 3)[1:-1]
        # There are fewer neighbors at the ends, where the weights have a smaller total.
        total = np.convolve(np.ones_like(y), weights)[radius : radius + len(y)]
        return x, np.convolve(y, weights)[radius : radius + len(y)] / total

    def _all_means(self) -> np.ndarray:
        """The means, and that of the pending points unless it would make the end of the curve jump about."""
        pending = self._pending.shape[1]
        if not pending or (2 * pending < self._size and self._means.shape[1]):
            return self._means
        return np.concatenate([self._means, self._pending.mean(axis=1, keepdims=True)], axis=1)
