"""The resources that a process uses, to check that it releases all of them. Linux only."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

MAX_GROWTH = 5.0
"""Megabytes by which the process may grow in the second half of the cycles.

Not in the first: the blocks in use come to lie more and more scattered, and a page with a single one of them
cannot be returned. That levels off after some hundred cycles; the amount in use stays the same.
"""
MAX_LEAK = 1.5
"""Megabytes by which the memory in use may grow; it does not depend on where the blocks lie."""
MAX_BLOCKS = 5_000
"""By how many the small objects of Python may grow, such as strings, which are not part of `in_use`.

PySide itself never frees one of some 50 bytes for each signal that is connected to the `emit` of another one.
"""


class _MallocInfo(ctypes.Structure):
    """What mallinfo2 of glibc returns, see mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


@dataclass(frozen=True)
class Footprint:
    """The resources at one moment, after garbage collection."""

    threads: int
    """Threads of the system, including those of torch and Qt."""
    files: frozenset[str]
    megabytes: float
    """What the process takes of the computer's memory."""
    in_use: float
    """Megabytes that the C library has given out and not got back: tensors, images, the objects of Qt."""
    objects: int
    """Python objects that the garbage collector tracks."""
    blocks: int
    """Python objects of up to 512 bytes, tracked or not."""

    @classmethod
    def now(cls) -> Footprint:
        # More than once: what one collection destroys may be the last owner of further garbage. If that were
        # counted now and collected later, it would hide the same number of leaked objects.
        for _ in range(20):
            if not gc.collect():
                break
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallinfo2.restype = _MallocInfo
        info = library.mallinfo2()
        status = Path("/proc/self/status").read_text()
        size, threads = (
            int(re.findall(rf"^{key}:\s+(\d+)", status, re.M)[0]) for key in ("VmRSS", "Threads")
        )
        return cls(
            threads=threads,
            files=_open_files(),
            megabytes=size / 1024,
            in_use=(info.uordblks + info.hblkhd) / 2**20,
            objects=len(gc.get_objects()),
            blocks=sys.getallocatedblocks(),
        )

    def compared(self, halfway: Footprint, later: Footprint, cycles: int) -> str:
        """Describes what that many cycles have added. Raises AssertionError for leaks."""
        grown = later.megabytes - halfway.megabytes
        in_use = later.in_use - self.in_use
        objects, blocks = later.objects - self.objects, later.blocks - self.blocks
        text = (
            f"{cycles} cycles: {later.threads - self.threads:+} threads, "
            f"{len(later.files) - len(self.files):+} files, {in_use:+.1f} MB in use of {later.in_use:.0f}, "
            f"{later.megabytes - self.megabytes:+.1f} MB of {later.megabytes:.0f} "
            f"({grown:+.1f} in the second half), "
            f"{objects:+} objects of {later.objects}, {blocks:+} blocks of {later.blocks}"
        )
        left = sorted(later.files - self.files)
        assert len(later.files) <= len(self.files), f"{text}; open: {left}"
        assert later.threads <= self.threads, f"{text}; {threading.enumerate()}"
        assert in_use < MAX_LEAK, text
        assert grown < MAX_GROWTH, text
        # If each cycle leaked an object, there would be one per cycle; caches fill up only once.
        assert objects < max(cycles // 2, 100), f"{text}; {_most_common_types()}"
        assert blocks < MAX_BLOCKS, text
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
