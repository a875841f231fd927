"""How much of a run's time goes into what is kept of its epochs."""

from __future__ import annotations

SHARE = 0.01
"""Of the time since the run started or was resumed."""
GRACE_SECONDS = 3.0
"""Besides that share: of a short run every epoch can be looked at later, even if the first one took long."""
FIRST_EPOCHS, SHARE_OF_FIRST = 12, 0.05
"""On a slow or busy computer the grace is soon spent. So many are taken nevertheless, as long as one takes a
small part of the time since the one before, which a busy computer lengthens as well."""


class SnapshotBudget:
    """Allows snapshots until they have taken more than their share. All times are in seconds."""

    def __init__(self, now: float, grace: float) -> None:
        """Without `grace` only the share counts."""
        self._began = self._ended = now
        self._grace = grace
        self._spent = 0.0
        self._last = 0.0
        self._count = 0

    def allows(self, now: float) -> bool:
        """Whether another one fits, if it takes as long as the last one."""
        if self._spent + self._last <= self._grace + SHARE * (now - self._began):
            return True
        is_early = self._grace > 0 and self._count < FIRST_EPOCHS
        return is_early and self._last <= SHARE_OF_FIRST * (now - self._ended)

    def record(self, cost: float, now: float) -> None:
        """A snapshot took so long, until now."""
        if self._count == 0 and self._grace > 0:
            # The first one loads what the others only use.
            cost = min(cost, self._grace / 2)
        self._spent += cost
        self._last = cost
        self._ended = now
        self._count += 1
