"""How much memory there is, and whether an error says that there was too little."""

from __future__ import annotations

import re
from pathlib import Path

import torch


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
    """Whether the error says that memory ran out. On the CPU torch says so by a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
