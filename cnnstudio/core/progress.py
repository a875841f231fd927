"""Progress reports and cancellation of long operations.

Long operations take two callables: `progress`, called with the state so far, and `cancelled`, asked between
steps whether to stop. Both are called on the thread that does the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cnnstudio.core.formatting import format_duration

_MIN_SECONDS = 2
"""Before the time left is said: the beginning is often slower or faster than the rest."""


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


def with_time_left(progress: ProgressFunction) -> ProgressFunction:
    """`progress`, with the time that the rest will take in its text, once that can be said.

    Each step that starts again from a smaller number, or has another total, is timed by itself.
    """
    start, first, last, total = 0.0, 0, -1, None

    def report(update: Progress) -> None:
        nonlocal start, first, last, total
        now = time.monotonic()
        if update.done < last or update.total != total:
            start, first, total = now, update.done, update.total
        last = update.done
        elapsed, done = now - start, update.done - first
        if total is not None and elapsed >= _MIN_SECONDS and done > 0 and update.done < total:
            left = format_duration(elapsed / done * (total - update.done))
            update = Progress(update.done, total, f"{update.text}, about {left} left")
        progress(update)

    return report


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
