"""The resources that a process uses, to check that it releases all of them. Linux only."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

MAX_GROWTH = 10.0
"""Megabytes by which memory may grow: allocators retain a varying amount of freed memory."""


@dataclass(frozen=True)
class Footprint:
    """The resources at one moment, after garbage collection."""

    threads: int
    """Threads of the system, including those of torch and Qt."""
    files: frozenset[str]
    megabytes: float
    objects: int
    """Python objects that the garbage collector tracks."""

    @classmethod
    def now(cls) -> Footprint:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        status = Path("/proc/self/status").read_text()
        size, threads = (
            int(re.findall(rf"^{key}:\s+(\d+)", status, re.M)[0]) for key in ("VmRSS", "Threads")
        )
        return cls(threads, _open_files(), size / 1024, len(gc.get_objects()))

    def compared(self, later: Footprint, cycles: int) -> str:
        """Describes what that many cycles have added. Raises AssertionError for leaks."""
        grown = later.megabytes - self.megabytes
        objects = later.objects - self.objects
        text = (
            f"{cycles} cycles: {later.threads - self.threads:+} threads, "
            f"{len(later.files) - len(self.files):+} files, {grown:+.1f} MB of {later.megabytes:.0f}, "
            f"{objects:+} objects of {later.objects}"
        )
        left = sorted(later.files - self.files)
        assert len(later.files) <= len(self.files), f"{text}; open: {left}"
        assert later.threads <= self.threads, f"{text}; {threading.enumerate()}"
        assert grown < MAX_GROWTH, text
        # If each cycle leaked an object, there would be one per cycle; caches fill up only once.
        assert objects < max(cycles // 2, 100), f"{text}; {_most_common_types()}"
        return text


def _open_files() -> frozenset[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:
            continue  # the descriptor of the folder itself
    return frozenset(found)


def _most_common_types() -> list[tuple[str, int]]:
    return Counter(type(each).__name__ for each in gc.get_objects()).most_common(12)
