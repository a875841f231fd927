"""How much memory there is, what an error says of it, and how the C library keeps it."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_LARGEST_KEPT = 512 * 2**20
"""Larger blocks, such as whole data sets, still go back to the system as soon as they are free."""
_MOST_KEPT = 2**31 - 1
"""The most that mallopt takes: a step of a large batch frees more than a gigabyte and needs it again."""


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on the device; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_main_memory()


def _free_main_memory() -> int | None:
    # Linux only; the other systems swap to disk before they refuse.
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out. Besides on CUDA, torch says so by a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    signs = ("DefaultCPUAllocator", "out of memory")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


class PeakMemory:
    """The most memory that is in use at a time from now on, beyond what is in use now.

    Pages of files do not count: the images of a map are there only as long as nobody needs the memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        _trim(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before: int | None = torch.cuda.memory_allocated(device)
        else:
            self._before = _reset_peak() if device.type == "cpu" else None
            self._files = 0 if self._before is None else _process("RssFile") or 0

    def used(self) -> int | None:
        """Bytes; None where the system does not tell."""
        if self._before is None:
            return None
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        # Looked at files stay in memory, so that they are there at the peak too, or nearly all of them.
        most, files = _process("VmHWM"), _process("RssFile")
        if most is None or files is None:
            return None
        return max(most - self._before - max(files - self._files, 0), 0)


def _reset_peak() -> int | None:
    """Lets Linux count the process's peak anew; gives what the process takes now."""
    try:
        # 5: "reset the peak resident set size", see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _process("VmRSS")


def _process(what: str) -> int | None:
    """Bytes of main memory that the process takes (VmRSS), of files (RssFile), or took at most (VmHWM)."""
    found = re.search(rf"^{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def give_back_memory(device: torch.device) -> None:
    """Lets the system have what nobody uses any more, after a batch that was too large."""
    # What the error held on to may hang together in circles.
    gc.collect()
    _trim(device)


def _trim(device: torch.device) -> None:
    """Gives back what is free, without a look for more: that would hold up all other threads."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


def _c_library() -> ctypes.CDLL | None:
    """That of GNU, whose way to keep memory is known."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if library is not None and hasattr(library, "mallopt") else None


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Inside, what a step frees is kept for the next step; afterwards it goes back to the system.

    glibc gives large blocks back at once, and the system then hands them out anew page by page, filled with
    zeros: on the CPU that is up to a third of a step. Elsewhere nothing changes. The setting itself, which
    cannot be read and so not be put back, stays.
    """
    library = _c_library()
    if library is None:
        yield
        return
    library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    library.mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
    try:
        yield
    finally:
        library.malloc_trim(0)
