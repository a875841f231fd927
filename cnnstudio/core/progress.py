"""Progress reports and cancellation of long operations.

Long operations take two callables: `progress`, called with the state so far, and `cancelled`, asked between
steps whether to stop. Both are called on the thread that does the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far an operation is: `done` of `total` steps (None if unknown), and `text` to show to people."""

    done: int
    total: int | None
    text: str


ProgressFunction = Callable[[Progress], None]
CancelFunction = Callable[[], bool]


class Cancelled(Exception):
    """The user cancelled the operation. Nothing incomplete is left behind."""


def ignore_progress(progress: Progress) -> None:
    """The default for `progress`: does nothing."""


def never_cancelled() -> bool:
    """The default for `cancelled`: the operation cannot be cancelled."""
    return False


def raise_if_cancelled(cancelled: CancelFunction) -> None:
    """Raises Cancelled if the user has cancelled the operation."""
    if cancelled():
        raise Cancelled


def throttled(progress: ProgressFunction, per_second: float = 20) -> ProgressFunction:
    """`progress`, called at most `per_second` times a second; the first and last reports always pass."""
    next_report = 0.0

    def report(update: Progress) -> None:
        nonlocal next_report
        now = time.monotonic()
        if now >= next_report or update.done == update.total:
            next_report = now + 1 / per_second
            progress(update)

    return report
