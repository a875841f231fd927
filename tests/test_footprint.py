"""A footprint tells what was leaked from what is only kept for later."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.footprint import Footprint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and asks glibc")

CYCLES = 450


class Loop:
    """Garbage that only a collection finds, and the owner of more such garbage until then."""

    def __init__(self, depth: int) -> None:
        self.itself = self
        self.depth = depth

    def __del__(self) -> None:
        if self.depth:
            Loop(self.depth - 1)


def compared(leak: Callable[[], object]) -> str:
    """What a footprint says about as many cycles, each of which keeps what `leak` returns."""
    before = Footprint.now()
    kept = [leak() for _ in range(CYCLES // 2)]
    halfway = Footprint.now()
    kept += [leak() for _ in range(CYCLES - CYCLES // 2)]
    later = Footprint.now()
    assert len(kept) == CYCLES
    return before.compared(halfway, later, CYCLES)


def test_cycles_that_keep_nothing_pass() -> None:
    assert f"{CYCLES} cycles: " in compared(lambda: None)


def test_twenty_kilobytes_for_each_cycle_are_a_leak() -> None:
    with pytest.raises(AssertionError, match=r"\+[6-9]\.\d MB in use"):
        compared(lambda: bytearray(20_000))


def test_a_few_short_texts_for_each_cycle_are_a_leak() -> None:
    numbers = iter(range(10**6))
    with pytest.raises(AssertionError, match="blocks"):
        compared(lambda: tuple(f"text {next(numbers)}" for _ in range(20)))


def test_an_object_for_each_cycle_is_a_leak() -> None:
    with pytest.raises(AssertionError, match="objects"):
        compared(lambda: [[]])


def test_free_memory_between_blocks_in_use_is_not_in_use() -> None:
    before = Footprint.now()
    # Of a thousand bytes each; one of eight keeps its page of four thousand.
    blocks = [bytearray(1000) for _ in range(40_000)][::8]
    scattered = Footprint.now()
    assert len(blocks) == 5000
    assert scattered.megabytes - before.megabytes > 15
    assert 4 < scattered.in_use - before.in_use < 7


def test_garbage_behind_garbage_is_collected_before_it_is_counted() -> None:
    before = Footprint.now()
    for _ in range(1000):
        Loop(depth=3)
    assert Footprint.now().objects - before.objects < 100
