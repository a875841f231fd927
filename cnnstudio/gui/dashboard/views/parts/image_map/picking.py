"""Which points are meant: those within a lasso, the one under the mouse, the next one in a direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.float64]
"""float64 (N, 2), in pixels."""
Mask = npt.NDArray[np.bool_]


def within(path: Places, places: Places) -> Mask:
    """Which places are inside of a closed path, float64 (M, 2), by the even-odd rule."""
    inside = np.zeros(len(places), bool)
    if len(path) < 3:
        return inside
    near = ((places >= path.min(0)) & (places <= path.max(0))).all(1)
    x, y = places[near].T
    found = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(path, np.roll(path, -1, 0), strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            found ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    inside[near] = found
    return inside


def nearest(places: Places, x: float, y: float, among: Mask, reach: float) -> int:
    """The place nearest to (x, y) of those `among`, if it is within `reach` pixels; else -1."""
    if not among.any():
        return -1
    distance = np.where(among, np.hypot(places[:, 0] - x, places[:, 1] - y), np.inf)
    found = int(distance.argmin())
    return found if distance[found] <= reach else -1


def next_in_direction(places: Places, start: int, across: int, down: int, among: Mask) -> int:
    """The next place in a direction of the screen, at most 45° off; -1 if there is none."""
    moved = places - places[start]
    ahead = moved[:, 0] * across + moved[:, 1] * down
    aside = np.abs(moved[:, 0] * down) + np.abs(moved[:, 1] * across)
    wanted = among & (ahead > 0) & (aside <= ahead)
    wanted[start] = False
    if not wanted.any():
        return -1
    return int(np.where(wanted, ahead + 2 * aside, np.inf).argmin())
