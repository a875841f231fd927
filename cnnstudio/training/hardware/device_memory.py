"""Free and used memory of a device, out-of-memory errors, and how the C library reuses freed memory."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_MAX_RETAINED_BLOCK = 512 * 2**20
"""Larger blocks, such as whole data sets, are still returned to the system as soon as they are freed."""
_MAX_RETAINED = 2**31 - 1
"""The maximum that mallopt accepts: a step of a large batch frees more than a gigabyte and needs it again."""
_USUAL_BLOCK = 32 * 2**20
"""What glibc's own adjustment arrives at; the setting from before cannot be read."""


def free_memory(device: torch.device) -> int | None:
    """Bytes available on the device; None if the system does not report them."""
    # As the driver reports it: blocks that torch has freed but keeps for its next tensors count as used.
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_main_memory()


def _free_main_memory() -> int | None:
    # Linux only: other systems swap to disk before they refuse memory.
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    # Not MemFree: most of what is not free holds pages of files, which the system drops when memory is
    # needed.
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error means that memory ran out; except on CUDA, torch raises a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # In messages of torch: the first for the CPU, the second for MPS and for CUDA errors in libraries.
    signs = ("DefaultCPUAllocator", "out of memory")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


class PeakMemory:
    """Measures the peak memory from now on, beyond what is in use now.

    Pages of files do not count: those of memory-mapped images are dropped when a program needs the memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        release_memory(device)
        if device.type == "cuda":
            # Counted by torch's allocator, so that other programs on the GPU do not matter. What cuDNN and
            # the CUDA context allocate themselves is not included.
            torch.cuda.reset_peak_memory_stats(device)
            self._before: int | None = torch.cuda.memory_allocated(device)
        else:
            self._before = _reset_peak() if device.type == "cpu" else None
            self._files = 0 if self._before is None else _process_memory("RssFile") or 0

    def used(self) -> int | None:
        """Bytes; None if the system does not report them."""
        if self._before is None:
            return None
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        # The pages of files that were read since then stay, so they were nearly all part of the peak as well.
        peak, files = _process_memory("VmHWM"), _process_memory("RssFile")
        # Of the whole process: what the window allocates meanwhile counts too, but is small against a batch.
        if peak is None or files is None:
            return None
        return max(peak - self._before - max(files - self._files, 0), 0)


def _reset_peak() -> int | None:
    """Resets the process's peak memory in Linux; returns its current memory, or None elsewhere."""
    try:
        # 5: "reset the peak resident set size", see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _process_memory("VmRSS")


def _process_memory(entry: str) -> int | None:
    """Bytes of main memory: all now (VmRSS), the pages of files (RssFile), or the peak (VmHWM)."""
    found = re.search(rf"^{entry}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def release_memory(device: torch.device) -> None:
    """Returns free memory to the system, such as that of a model that was deleted.

    Without a garbage collection, which would stop all other threads, and may destroy objects that belong to
    one of them: what uses much memory must not be in a reference cycle.
    """
    # RuntimeError: the device has failed, which its training reports.
    with suppress(RuntimeError):
        if device.type == "cuda":
            torch.cuda.empty_cache()
        elif device.type == "mps":
            torch.mps.empty_cache()
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


def _c_library() -> ctypes.CDLL | None:
    """glibc, the only C library with the allocator settings used here; None if there is another one."""
    # CDLL(None) is the program itself, in which the symbols of its C library are found. musl has no mallopt.
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if library is not None and hasattr(library, "mallopt") else None


@contextmanager
def retain_freed_memory(device: torch.device) -> Iterator[None]:
    """Inside, memory that a step frees is kept for the next step; afterwards it goes back to the system.

    glibc returns large blocks to the system at once, which then hands them out again page by page, filled
    with zeros: on the CPU that takes up to a third of a step. With other C libraries nothing changes.
    """
    # mallopt refuses values by returning 0, as some versions of glibc do with thresholds above 32 MiB
    # (mallopt(3)). The result is not checked: steps are slower then, but not wrong.
    _set_thresholds(_MAX_RETAINED_BLOCK, _MAX_RETAINED)
    try:
        yield
    finally:
        _set_thresholds(_USUAL_BLOCK, 2 * _USUAL_BLOCK)
        release_memory(device)


def _set_thresholds(block: int, trim: int) -> None:
    """The bytes from which on glibc takes a block from the system, and returns the free end of the heap."""
    library = _c_library()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, block)
        library.mallopt(_M_TRIM_THRESHOLD, trim)
