"""How much of a run's time goes into what is kept of its epochs."""

from __future__ import annotations

SHARE = 0.01
"""Of the time since the run started or was resumed."""
GRACE_SECONDS = 3.0
"""Besides that share: of a short run every epoch can be looked at later, even if the first one took long."""


class SnapshotBudget:
    """Allows snapshots until they have taken more than their share. All times are in seconds."""

    def __init__(self, now: float, grace: float) -> None:
        self._began = now
        self._grace = grace
        self._spent = 0.0
        self._last = 0.0

    def allows(self, now: float) -> bool:
        """Whether another one fits, if it takes as long as the last one."""
        return self._spent + self._last <= self._grace + SHARE * (now - self._began)

    def record(self, cost: float) -> None:
        """A snapshot took so long."""
        self._spent += cost
        self._last = cost
