"""How much of the processor other programs use."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cnnstudio.training.hardware import processor_load
from cnnstudio.training.hardware.processor_load import (
    ProcessorLoad,
    ProcessorTimes,
    others_need,
    read_processor_times,
)

BEFORE = ProcessorTimes(wall=100.0, busy=50.0, own=20.0)


@pytest.mark.parametrize(
    ("busy", "own", "threads", "expected"),
    [
        (2.0, 2.0, 2, False),  # alone
        (2.0, 1.5, 2, True),  # one thread has to share
        (2.0, 1.0, 1, False),  # the other program has the other processor
        (2.0, 0.5, 1, True),
        (1.2, 1.0, 2, False),  # a little of the desktop's work
    ],
)
def test_other_programs_count_if_they_use_processors_that_the_threads_need(
    busy: float, own: float, threads: int, expected: bool
) -> None:
    now = replace(BEFORE, wall=101.0, busy=50.0 + busy, own=20.0 + own)
    assert others_need(BEFORE, now, threads, usable=2) is expected


def test_without_times_nothing_is_known() -> None:
    assert not others_need(None, BEFORE, 2, 2)
    assert not others_need(BEFORE, None, 2, 2)
    assert not others_need(BEFORE, BEFORE, 2, 2)


def test_the_fields_of_the_usable_processors_are_added_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stat"
    path.write_text("cpu  9 9 9 9\ncpu0 1 2 4 1000 1000 8 16 32 0 0\ncpu1 100 0 0 0 0 0 0 0 0 0\nintr 5\n")
    monkeypatch.setattr(processor_load, "_STATISTICS", path)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr("os.sysconf", lambda name: 100, raising=False)
    times = read_processor_times()
    assert times is not None
    assert times.busy == 0.63


@pytest.mark.parametrize("text", [None, "", "cpu0 1 2\n", "cpu0 one two three\n"])
def test_a_system_that_tells_nothing_is_no_error(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stat"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(processor_load, "_STATISTICS", path)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1}, raising=False)
    assert not ProcessorLoad().others_need(2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells them")
def test_the_times_include_those_of_this_process() -> None:
    before = read_processor_times()
    sum(index * index for index in range(2_000_000))
    now = read_processor_times()
    assert before is not None
    assert now is not None
    assert now.own > before.own
    # Counted in ticks of a hundredth of a second.
    assert now.busy - before.busy > now.own - before.own - 0.05
