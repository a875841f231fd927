"""Background work between the steps of a training, which keeps most of the time."""

from __future__ import annotations

import pytest

from cnnstudio.training import step_hooks
from cnnstudio.training.step_hooks import BackgroundShare


class Clock:
    """Stands for the module `time`; moves on only as the test says."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def perf_counter(self) -> float:
        return self.seconds


class Work:
    """Background work that never ends and whose slices take a given time."""

    is_pending = True

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.slices = 0
        self._clock = clock
        self._seconds = seconds

    def advance(self) -> None:
        self.slices += 1
        self._clock.seconds += self._seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(step_hooks, "time", clock)
    return clock


def train(clock: Clock, work: Work, step: float, steps: int) -> float:
    """Steps that take so many seconds each; returns the share of the time that they had."""
    share, began = BackgroundShare(), clock.seconds
    for _ in range(steps):
        clock.seconds += step
        share.advance(work)
    return steps * step / (clock.seconds - began)


@pytest.mark.parametrize("step", [0.0005, 0.0076, 0.028, 0.4])
@pytest.mark.parametrize("slice_seconds", [0.002, 0.009, 0.05])
def test_work_that_never_ends_leaves_the_training_nearly_all_of_its_rate(
    step: float, slice_seconds: float, clock: Clock
) -> None:
    work = Work(clock, slice_seconds)
    steps = round(300 / step)
    # A slice of 50 ms once in a second is more than its share.
    assert train(clock, work, step, steps) >= (0.94 if slice_seconds == 0.05 else 0.96)
    # It gets what is left: a slice after every step, or nearly its 3.5% of the time.
    passed = clock.seconds - 100.0
    assert work.slices == steps or work.slices * slice_seconds / passed >= 0.032


@pytest.mark.parametrize("slice_seconds", [0.002, 0.009, 0.05])
def test_what_is_asked_once_in_a_while_is_answered_soon(slice_seconds: float, clock: Clock) -> None:
    work = Work(clock, slice_seconds)
    assert train(clock, work, 0.001, 1_500) >= 0.7
    # Half a second of work within about two.
    assert work.slices * slice_seconds >= 0.5


def test_slices_that_take_long_get_on_at_least_once_in_a_second_or_two(clock: Clock) -> None:
    work = Work(clock, 0.3)
    share = train(clock, work, 0.02, round(200 / 0.02))
    assert work.slices >= (clock.seconds - 100.0) / 1.5
    assert share >= 0.7
