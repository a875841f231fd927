"""What a process takes of the system's things, to see whether it gives all of them back. Linux."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

GROWN = 10.0
"""Megabytes by which memory may differ: allocators keep some of what was freed, now more and now less."""


@dataclass(frozen=True)
class Footprint:
    """At one moment, after all that is not in use any more was given back."""

    threads: int
    """Of the system, torch's and Qt's own among them."""
    files: frozenset[str]
    megabytes: float
    objects: int
    """Of Python, as its collector counts them."""

    @classmethod
    def now(cls) -> Footprint:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        status = Path("/proc/self/status").read_text()
        size, threads = (
            int(re.findall(rf"^{word}:\s+(\d+)", status, re.M)[0]) for word in ("VmRSS", "Threads")
        )
        return cls(threads, _open_files(), size / 1024, len(gc.get_objects()))

    def compared(self, later: Footprint, cycles: int) -> str:
        """What so many cycles have added, in words. Raises AssertionError for what was not given back."""
        grown = later.megabytes - self.megabytes
        objects = later.objects - self.objects
        words = (
            f"{cycles} cycles: {later.threads - self.threads:+} threads, "
            f"{len(later.files) - len(self.files):+} files, {grown:+.1f} MB of {later.megabytes:.0f}, "
            f"{objects:+} objects of {later.objects}"
        )
        left = sorted(later.files - self.files)
        assert len(later.files) <= len(self.files), f"{words}; open: {left}"
        assert later.threads <= self.threads, f"{words}; {threading.enumerate()}"
        assert grown < GROWN, words
        # An object that each cycle left behind would be as many as there were cycles; caches fill up once.
        assert objects < max(cycles // 2, 100), f"{words}; {_commonest()}"
        return words


def _open_files() -> frozenset[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:
            continue  # the one by which the folder itself was read
    return frozenset(found)


def _commonest() -> list[tuple[str, int]]:
    return Counter(type(thing).__name__ for thing in gc.get_objects()).most_common(12)
