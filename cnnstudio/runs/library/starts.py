"""When runs were started, in words short enough for a list, and long enough to tell namesakes apart."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def describe_start(created: float | None, *, exactly: bool = False) -> str:
    """`14:02` today, otherwise `Nov 23, 14:02`, in another year `2025-11-23`; empty if unknown.

    `created` is in Unix seconds. `exactly` adds the seconds, and the time in another year. Empty also for a
    time that this machine cannot represent, such as one before the year 1.
    """
    moment = _local(created)
    if moment is None:
        return ""
    now = datetime.now()
    time = f"{moment:%H:%M:%S}" if exactly else f"{moment:%H:%M}"
    if moment.date() == now.date():
        return time
    if moment.year == now.year:
        return f"{moment:%b} {moment.day}, {time}"
    # Not every system's strftime writes the years before 1000 with four digits.
    day = moment.date().isoformat()
    return f"{day}, {time}" if exactly else day


def distinct_starts(runs: Iterable[tuple[K, str, float | None]]) -> dict[K, str]:
    """What to show for those of the runs, given as (key, title, created), that would look the same otherwise.

    Namesakes that were started in the same minute are told apart by the second, or else by a number.
    """
    beginning = _beginning_of_year()
    namesakes: dict[tuple[str, int], list[tuple[K, float | None]]] = {}
    for key, title, created in runs:
        namesakes.setdefault((title, _bucket(created, beginning)), []).append((key, created))
    texts: dict[K, str] = {}
    for group in namesakes.values():
        if len(group) > 1:
            counts: dict[str, int] = {}
            # The one that was started first is number 1, whatever the order of the list.
            for key, created in sorted(group, key=lambda each: each[1] or 0.0):
                text = describe_start(created, exactly=True)
                counts[text] = counts.get(text, 0) + 1
                texts[key] = text if counts[text] == 1 else f"{text} ({counts[text]})".strip()
    return texts


def _bucket(created: float | None, beginning: float) -> int:
    """The same for two times that `describe_start` describes in the same way."""
    if created is not None and created >= beginning:
        return int(created // 60)
    moment = _local(created)
    # Negative, so that no day is taken for a minute.
    return -moment.toordinal() if moment is not None else 0


def _beginning_of_year() -> float:
    return datetime(datetime.now().year, 1, 1).timestamp()


def _local(created: float | None) -> datetime | None:
    try:
        return None if created is None else datetime.fromtimestamp(created)
    except (ValueError, OverflowError, OSError):
        return None
