"""Slices: short ones beside a training, longer ones while nothing waits."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from cnnstudio.insight import slices
from cnnstudio.insight.instrument import SLICE_SECONDS, Taking, long_slices, slice_seconds
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest
from cnnstudio.runs.epochs.reading_service import ReadingService

_EACH = 0.00195


class _Clock:
    """Stands still but for the images that are computed."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(slices, "time", clock)
    return clock


def test_slices_are_long_only_while_nothing_waits(clock: _Clock) -> None:
    sizes: list[int] = []

    def compute(part: slice) -> None:
        sizes.append(part.stop - part.start)
        clock.now += _EACH * sizes[-1]

    work = slices.in_slices(1_000, compute)
    next(work)
    next(work)
    assert sizes[-1] == int(SLICE_SECONDS / _EACH)
    with long_slices():
        for _ in range(3):
            next(work)
    assert sizes[2:] == [16, 51, 51]
    # The very next one is short again: a training may wait for it.
    next(work)
    assert sizes[-1] == int(SLICE_SECONDS / _EACH)
    assert [*work][-1] == 1.0
    assert sum(sizes) == 1_000


def test_long_slices_of_small_networks_take_no_more_memory(clock: _Clock) -> None:
    sizes: list[int] = []

    def compute(part: slice) -> None:
        sizes.append(part.stop - part.start)
        clock.now += 0.0002 * sizes[-1]

    with long_slices():
        assert [*slices.in_slices(2_000, compute)][-1] == 1.0
    assert max(sizes) == 128


def test_the_service_works_in_long_slices_where_no_training_waits() -> None:
    aims: list[float] = []

    class Watching:
        def take(self, request: ReadingRequest) -> Taking:
            for done in (0.3, 0.6):
                aims.append(slice_seconds())
                yield done
            raise RuntimeError("nothing is read here")

    service = ReadingService(cast(Inspector, Watching()), lambda request, result: None)
    service.want([ReadingRequest(Path("run"), 1, "confusion")])
    service.advance()
    service.run(lambda: False)
    assert aims == [SLICE_SECONDS, pytest.approx(0.1)]
    assert slice_seconds() == SLICE_SECONDS
