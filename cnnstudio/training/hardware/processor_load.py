"""How much of the processor other programs use, as far as the system tells (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_STATISTICS = Path("/proc/stat")

_BUSY = slice(1, 4), slice(6, 9)
"""The fields of a processor's line with its busy time: user, nice and system; interrupts and a virtual
machine's stolen time. Not those between them, in which it is idle."""

_MIN_OTHERS = 0.5
"""Processors. The desktop's own programs use less."""


@dataclass(frozen=True)
class ProcessorTimes:
    """Seconds since some moment in the past."""

    wall: float
    busy: float
    """In which the processors that this process may use worked, summed over them."""
    own: float
    """In which they worked for this process."""


def read_processor_times() -> ProcessorTimes | None:
    """The times now; None if the system does not tell them."""
    try:
        usable = os.sched_getaffinity(0)
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        lines = _STATISTICS.read_text("ascii").splitlines()
        fields = {line.split()[0]: line.split() for line in lines if line.startswith("cpu")}
        ticks = sum(sum(map(int, fields[f"cpu{number}"][part])) for number in usable for part in _BUSY)
    except (AttributeError, OSError, ValueError, KeyError):
        return None
    return ProcessorTimes(time.perf_counter(), ticks / ticks_per_second, time.process_time())


def usable_processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def others_need(before: ProcessorTimes | None, now: ProcessorTimes | None, threads: int, usable: int) -> bool:
    """Whether other programs used processors, between two times, that `threads` threads of this one need."""
    if before is None or now is None or now.wall <= before.wall:
        return False
    others = (now.busy - before.busy - (now.own - before.own)) / (now.wall - before.wall)
    return others >= _MIN_OTHERS + max(usable - threads, 0)


class ProcessorLoad:
    """Compares the times between two calls."""

    def __init__(self) -> None:
        self._before = read_processor_times()
        self._usable = usable_processors()

    def others_need(self, threads: int) -> bool:
        """Whether other programs used processors since the last call that `threads` threads need."""
        before, self._before = self._before, read_processor_times()
        return others_need(before, self._before, threads, self._usable)
