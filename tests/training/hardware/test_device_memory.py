"""Free memory, out-of-memory errors, and reuse of freed memory."""

from __future__ import annotations

import ctypes
import sys

import pytest
import torch

from cnnstudio.training.hardware.device_memory import free_memory, is_out_of_memory, retain_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not report it")
def test_free_memory_is_reported() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is not None
    assert 2**20 < free < 2**50


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("DefaultCPUAllocator"), False),
    ],
)
def test_only_memory_errors_are_out_of_memory(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_torchs_own_memory_error_is_recognized() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="only for glibc"
)
def test_memory_that_a_step_frees_is_reused_by_the_next() -> None:
    import resource

    def step() -> None:
        # Several at a time, as in a network: a single block could be kept by chance.
        blocks = [torch.empty(2**21).fill_(1.0) for _ in range(4)]
        del blocks

    def pages_handed_out() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            step()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with retain_freed_memory(torch.device("cpu")):
        pages_handed_out()
        # All pages handed out again would be 10 × 4 × 8 MB / 4 kB = 81,920 pages.
        assert pages_handed_out() < 2000
