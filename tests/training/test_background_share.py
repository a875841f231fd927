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


@pytest.mark.parametrize("step", [0.0005, 0.0076, 0.028, 0.4])
@pytest.mark.parametrize("slice_seconds", [0.002, 0.009, 0.05])
def test_the_training_keeps_seven_tenths_of_its_rate(
    step: float, slice_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(step_hooks, "time", clock)
    work, share = Work(clock, slice_seconds), BackgroundShare()
    steps = 20_000
    for _ in range(steps):
        clock.seconds += step
        share.advance(work)
    passed = clock.seconds - 100.0
    assert steps * step / passed >= 0.7
    # It gets what is left: a slice after every step, or nearly three tenths of the time.
    assert work.slices == steps or work.slices * slice_seconds / passed >= 0.28 * 0.75
