"""How many threads a training uses beside other programs: decided from simulated durations of steps."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from cnnstudio.training.hardware.thread_policy import ThreadPolicy

STEP = 0.008
"""Seconds of a step with one thread and no other program."""


class Machine:
    """A simulated processor: its clock advances by the steps that a policy is told of."""

    def __init__(self, cores: int = 2, *, tells_load: bool = False, step: float = STEP) -> None:
        self.cores = cores
        self.busy: Callable[[float], int] = lambda seconds: 0
        """The number of other busy programs at a time."""
        self.noise = 0.0
        self.tells_load = tells_load
        self.step = step
        self.seconds = 0.0
        self.policy = ThreadPolicy(cores, cores, self._others_need)
        self.changes: list[tuple[float, int, bool]] = []
        """The time, the new number of threads, and whether it is a trial."""
        self._random = random.Random(1)

    def _others_need(self, threads: int) -> bool:
        return self.tells_load and self.busy(self.seconds) > self.cores - threads

    def seconds_per_step(self, threads: int) -> float:
        """Threads that all have a core share the work; otherwise they wait for each other's turns."""
        work = self.step * (0.2 + 0.8 / threads)
        if threads + self.busy(self.seconds) > self.cores and threads > 1:
            work *= 20 / (1 + self.step / STEP / 10)
        return work * self._random.lognormvariate(0, self.noise)

    def train(self, seconds: float, images: int = 32) -> int:
        """Trains for so long; returns the number of steps."""
        end, steps = self.seconds + seconds, 0
        while self.seconds < end:
            self.take(self.seconds_per_step(self.policy.threads), images)
            steps += 1
        return steps

    def take(self, seconds: float, images: int = 32) -> None:
        """One step that takes that long."""
        before = (self.policy.threads, self.policy.is_trial)
        self.seconds += seconds
        self.policy.record(seconds, images)
        if (self.policy.threads, self.policy.is_trial) != before:
            self.changes.append((self.seconds, self.policy.threads, self.policy.is_trial))

    @property
    def kept(self) -> list[int]:
        """The numbers that were kept after trials."""
        return [threads for _, threads, is_trial in self.changes if not is_trial]


@pytest.mark.parametrize("step", [0.0002, STEP, 0.5, 5.0])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_alone_the_number_of_threads_never_changes(step: float, noise: float) -> None:
    machine = Machine(4, tells_load=True, step=step)
    machine.noise = noise
    machine.take(50 * step)  # the first step prepares memory and kernels
    machine.train(min(2000 * step, 300))
    for _ in range(20):
        machine.take(40 * step)  # something else happened
        machine.take(2 * step, images=3)  # the rest of an epoch
        machine.train(200 * step)
    assert machine.changes == []


@pytest.mark.parametrize("step", [0.0002, STEP, 0.1])
@pytest.mark.parametrize("tells_load", [False, True])
def test_beside_a_busy_program_one_thread_fewer_is_soon_used(step: float, tells_load: bool) -> None:
    machine = Machine(2, tells_load=tells_load, step=step)
    machine.noise = 0.2
    machine.train(10)
    machine.busy = lambda seconds: 1
    machine.train(4)
    assert (machine.policy.threads, machine.policy.is_trial) == (1, False)
    assert machine.kept == [1]


def test_all_threads_return_soon_after_the_other_program_has_gone() -> None:
    machine = Machine()
    machine.busy = lambda seconds: int(5 < seconds < 40)
    machine.train(40)
    assert machine.policy.threads == 1
    machine.train(61)
    assert (machine.policy.threads, machine.policy.is_trial) == (2, False)


def test_attempts_in_vain_cost_little_and_become_rare() -> None:
    machine = Machine(tells_load=True)
    machine.noise = 0.2
    machine.busy = lambda seconds: 1
    machine.train(10)
    steps = machine.train(600)
    assert steps > 0.95 * 600 / STEP
    assert machine.policy.threads == 1
    assert sum(is_trial for _, _, is_trial in machine.changes) < 20


def test_a_program_that_was_busy_from_the_beginning_is_noticed_where_the_system_tells_the_load() -> None:
    machine = Machine(tells_load=True)
    machine.busy = lambda seconds: 1
    machine.train(4)
    assert machine.kept == [1]
    unaware = Machine(tells_load=False)
    unaware.busy = lambda seconds: 1
    unaware.train(60)
    assert unaware.changes == []


def test_the_number_is_restored_if_fewer_threads_are_no_faster() -> None:
    machine = Machine(4, tells_load=True)
    # The program takes a share of the processor, but the steps hardly suffer.
    machine.busy = lambda seconds: 1
    machine.seconds_per_step = lambda threads: STEP / threads  # type: ignore[method-assign]
    machine.train(600)
    assert machine.policy.threads == 4
    assert set(machine.kept) == {4}
    assert len(machine.kept) < 10


def test_slower_steps_for_another_reason_are_accepted() -> None:
    machine = Machine(2)
    machine.train(20)
    machine.step *= 5
    machine.train(600)
    assert machine.policy.threads == 2
    assert len(machine.kept) <= 1


@pytest.mark.parametrize(("others", "expected"), [(1, 7), (2, 6), (3, 4), (7, 1)])
def test_as_many_threads_are_kept_as_have_a_core(others: int, expected: int) -> None:
    machine = Machine(8, tells_load=True)
    machine.train(10)
    machine.busy = lambda seconds: others
    machine.train(6)
    assert (machine.policy.threads, machine.policy.is_trial) == (expected, False)
    machine.busy = lambda seconds: 0
    machine.train(61)
    assert machine.policy.threads == 8


def test_a_program_that_comes_and_goes_does_not_make_the_number_flap() -> None:
    machine = Machine(tells_load=True)
    machine.busy = lambda seconds: int(seconds % 6 < 3)
    machine.train(900)
    assert len(machine.kept) < 40
    late = [change for change in machine.changes if change[0] > 450]
    assert len(late) < 25


def test_single_slow_steps_decide_nothing() -> None:
    machine = Machine()
    machine.train(10)
    for _ in range(50):
        machine.take(3.0)  # the computer slept
        machine.train(1.5)
    assert machine.changes == []


def test_other_steps_end_a_trial_and_are_compared_with_their_own_kind_only() -> None:
    machine = Machine()
    machine.train(10)
    machine.busy = lambda seconds: 1
    while not machine.policy.is_trial:
        machine.train(0.1)
    machine.policy.start_over()
    assert (machine.policy.threads, machine.policy.is_trial) == (2, False)

    machine = Machine()
    machine.train(10)
    machine.step *= 4
    machine.policy.start_over()
    machine.train(60)
    assert machine.changes == []


def test_one_thread_cannot_become_fewer() -> None:
    machine = Machine(1, tells_load=True)
    machine.busy = lambda seconds: 5
    machine.train(20)
    machine.step *= 10
    machine.train(20)
    assert machine.changes == []
