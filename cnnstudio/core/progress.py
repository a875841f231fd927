"""How long work speaks while it runs, and how it is told to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where the work stands. `total` is None while nobody knows; `text` says it all for people."""

    done: int
    total: int | None
    text: str


ProgressFunction = Callable[[Progress], None]
CancelFunction = Callable[[], bool]


class Cancelled(Exception):
    """The user called the work off. Nothing half-made is left behind."""


def ignore(progress: Progress) -> None:
    """For those who do not want to hear."""


def never() -> bool:
    """For work that nobody cancels."""
    return False


def check(cancelled: CancelFunction) -> None:
    """Raise Cancelled if the user called the work off."""
    if cancelled():
        raise Cancelled


def throttled(progress: ProgressFunction, per_second: float = 20) -> ProgressFunction:
    """`progress`, told at most so often; the first and the last word always come through."""
    earliest = 0.0

    def tell(news: Progress) -> None:
        nonlocal earliest
        now = time.monotonic()
        if now >= earliest or news.done == news.total:
            earliest = now + 1 / per_second
            progress(news)

    return tell
