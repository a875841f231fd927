"""Decides how many threads a training on the CPU uses while other programs take the processor from it.

The threads of a step wait for each other many times. If another program runs on the core of one of them, all
the others wait until it is scheduled again: beside one busy program, a training can fall to a twentieth of
its speed, and one thread fewer brings most of that back.

Nothing here measures or sets anything, so that every decision follows from what is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Protocol

from cnnstudio.training.hardware.processor_load import ProcessorLoad

MAX_THREADS = 1024
"""More than any processor has; larger numbers are mistakes."""

_SLOW_FACTOR = 2.0
"""Steps that take this multiple of what they usually took are suspicious."""

_WINDOW_SECONDS, _WINDOW_STEPS = 0.5, 3
"""The least that a mean is taken over. So single slow steps, such as the first, decide nothing."""

_WINDOWS = 2
"""In a row that have to be suspicious: a pause of the whole machine fills one."""

_REMEMBERED_WINDOWS = 15
"""What steps usually take is the median of so many."""

_TRIAL_SECONDS = 0.3
_LOST_FACTOR, _LOST_FACTOR_FIRST = 3.0, 6.0
"""A trial ends early if its steps take this multiple; the first step, which warms up, may take longer."""
_LOST_SECONDS = 0.03
"""But not before: a very short step may take a multiple by chance."""

_GAIN_BY_FEWER, _GAIN_BY_MORE = 0.8, 1.0
"""The share of the time per step that a trial has to stay below. Fewer threads have to gain something; more
are as good if they are not slower, for beside other programs they would be far slower."""

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 60.0
"""Seconds of training before more threads are tried again; twice as long after each attempt in vain."""
_TRIAL_SHARE = 0.05
"""Of the time, for attempts in vain."""
_RELAPSE_SECONDS = 30.0
"""More threads that became slow again within this time were an attempt in vain, too."""

_FIRST_QUIET, _LONGEST_QUIET = 10.0, 600.0
"""Seconds of training before fewer threads are tried again after that was in vain."""


class Policy(Protocol):
    """What the training asks and tells after each step."""

    threads: int
    """For the next step."""
    is_trial: bool
    """Whether `threads` is only tried for a moment."""

    def record(self, seconds: float, images: int) -> None:
        """A step with `threads` took that long; may change `threads`."""

    def start_over(self) -> None:
        """The steps from now on are of another kind; may end a trial, and so change `threads`."""


class _Window:
    """The time per step over some steps."""

    def __init__(self) -> None:
        self.seconds, self.steps = 0.0, 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.steps += 1

    def is_full(self, seconds: float) -> bool:
        return self.seconds >= seconds and self.steps >= _WINDOW_STEPS

    @property
    def mean(self) -> float:
        return self.seconds / self.steps


class ThreadPolicy:
    """Tries fewer threads when steps become slow, keeps what is faster, and later tries more again.

    All times are seconds spent in steps: neither pauses, evaluations and checkpoints nor the time of day
    count. A suspicion comes from steps that take a multiple of what they took, or from other programs that
    use the processor, which a run that was slow from its beginning could not notice otherwise. But only a
    trial with real steps decides.
    """

    def __init__(self, usual: int, threads: int, others_need: Callable[[int], bool]) -> None:
        """`usual` is the number without other programs, `threads` the number to start with.

        `others_need` tells whether other programs used processors, since the last call, that so many threads
        need. It is called after each window.
        """
        self.threads = threads
        self.is_trial = False
        self._others_need = others_need
        self._usual = usual
        self._choices = _choices(usual)
        self._seconds = 0.0
        self._batch_size = 0
        """Of the largest batch so far."""
        self._window = _Window()
        self._before = self._best = threads
        """The number before the trials, and the best so far, also of the trials."""
        self._best_mean = 0.0
        """Its seconds per step."""
        self._is_warm = True
        """Whether the trial's first step is over."""
        self._trials_began = 0.0
        self._wait, self._raise_at = _FIRST_WAIT, _FIRST_WAIT
        self._raised_at = -_RELAPSE_SECONDS
        self._quiet, self._lower_at = _FIRST_QUIET, 0.0
        self._forget_speed()

    def _forget_speed(self) -> None:
        """Other threads, or another kind of steps: what was measured before says nothing about them."""
        self._means: deque[float] = deque(maxlen=_REMEMBERED_WINDOWS)
        """Seconds per step in the last windows."""
        self._slow_windows = self._shared_windows = 0
        """Of the last windows, those with slow steps and those beside other programs."""

    def record(self, seconds: float, images: int) -> None:
        self._seconds += seconds
        if images < self._batch_size:
            # The rest of an epoch, in which an image takes longer than in a whole batch.
            return
        self._batch_size = images
        self._window.add(seconds)
        if self.is_trial:
            self._continue_trial()
        elif self._window.is_full(_WINDOW_SECONDS):
            self._end_window()

    def start_over(self) -> None:
        self._settle(self._before if self.is_trial else self.threads)

    def _end_window(self) -> None:
        mean, self._window = self._window.mean, _Window()
        is_slow = bool(self._means) and mean > _SLOW_FACTOR * median(self._means)
        self._slow_windows = self._slow_windows + 1 if is_slow else 0
        self._means.append(mean)
        self._shared_windows = self._shared_windows + 1 if self._others_need(self.threads) else 0
        is_suspicious = max(self._slow_windows, self._shared_windows) >= _WINDOWS
        if is_suspicious and self._fewer() and self._seconds >= self._lower_at:
            self._start_trials(self._fewer())
        elif self.threads < self._usual and self._seconds >= self._raise_at:
            self._start_trials(self._usual)

    def _fewer(self) -> int:
        """The next smaller choice; 0 if there is none."""
        return max((choice for choice in self._choices if choice < self.threads), default=0)

    def _start_trials(self, threads: int) -> None:
        self._before = self._best = self.threads
        self._best_mean = self._means[-1]
        self._trials_began = self._seconds
        self._start_trial(threads)

    def _start_trial(self, threads: int) -> None:
        self.threads, self.is_trial, self._is_warm = threads, True, False
        self._window = _Window()

    def _continue_trial(self) -> None:
        lost = _LOST_FACTOR if self._is_warm else _LOST_FACTOR_FIRST
        if self._window.mean > lost * self._best_mean and self._window.seconds > _LOST_SECONDS:
            self._end_trial(is_won=False)
        elif not self._is_warm:
            # With another number of threads the first step prepares memory and kernels anew.
            self._is_warm, self._window = True, _Window()
        elif self._window.is_full(_TRIAL_SECONDS):
            gain = _GAIN_BY_FEWER if self.threads < self._before else _GAIN_BY_MORE
            self._end_trial(is_won=self._window.mean < gain * self._best_mean)

    def _end_trial(self, is_won: bool) -> None:
        """Tries the next smaller number if that may be better, or keeps the best."""
        if is_won:
            self._best, self._best_mean = self.threads, self._window.mean
        following = self._fewer()
        if self.threads < self._before:
            # One fewer is of no use if two other programs are busy, but two fewer are.
            if following and (is_won or self._best == self._before):
                self._start_trial(following)
            else:
                self._end_lowering()
        # If not all of the other programs have gone, some more threads are better than all.
        elif not is_won and following > self._before:
            self._start_trial(following)
        else:
            self._end_raising()

    def _end_lowering(self) -> None:
        if self._best == self._before:
            took = self._seconds - self._trials_began
            self._lower_at = self._seconds + max(self._quiet, took / _TRIAL_SHARE)
            self._quiet = min(2 * self._quiet, _LONGEST_QUIET)
        else:
            has_relapsed = self._seconds - self._raised_at < _RELAPSE_SECONDS
            self._wait = min(2 * self._wait, _LONGEST_WAIT) if has_relapsed else _FIRST_WAIT
            self._raise_at = self._seconds + self._wait
            self._quiet = _FIRST_QUIET
        self._settle(self._best)

    def _end_raising(self) -> None:
        if self._best == self._before:
            took = self._seconds - self._trials_began
            self._raise_at = self._seconds + max(self._wait, took / _TRIAL_SHARE)
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
        else:
            self._raised_at = self._seconds
            self._raise_at = self._seconds + self._wait
        self._settle(self._best)

    def _settle(self, threads: int) -> None:
        self.threads, self.is_trial, self._window = threads, False, _Window()
        self._forget_speed()


def make_policy(usual: int, threads: int) -> Policy:
    """The policy of a new or resumed run."""
    return ThreadPolicy(usual, threads, ProcessorLoad().others_need)


def _choices(usual: int) -> tuple[int, ...]:
    """The numbers of threads to choose from, such as 1, 2, 4, 6, 7 and 8: one fewer may be all that it takes.

    Beside more programs it may take many fewer.
    """
    return tuple(sorted({usual, usual - 1, usual * 3 // 4, usual // 2, usual // 4, 1} - {0}))
