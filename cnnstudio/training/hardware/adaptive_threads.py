"""Changes the number of CPU threads while a run trains, and repeats the changes when the run resumes.

Results depend on the number of threads, in their last bits. A resumed run therefore repeats the changes that
were recorded at the same steps, as far as the record goes, and only then decides by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cnnstudio.training.events import ThreadsChanged
from cnnstudio.training.hardware import thread_policy
from cnnstudio.training.run_state import RunState


@dataclass(frozen=True)
class ThreadRecord:
    """The changes that a run has made so far."""

    changes: Sequence[ThreadsChanged] = ()
    """In the order of their steps."""
    last_step: int = 0
    """As far as the record goes: up to this step there were no other changes."""


class AdaptiveThreads:
    """The number of threads of one run. To be used in the thread that trains, and after Started."""

    def __init__(self, run: RunState, record: ThreadRecord) -> None:
        self._run = run
        self._record = record
        self._usual = torch.get_num_threads()
        self._threads, self._is_trial = self._usual, False
        self._left = deque(change for change in record.changes if self._is_valid(change))
        """Of the recorded changes, those after the current step."""
        self._policy: thread_policy.Policy | None = None
        """None while the record is repeated."""
        self._recipe = run.recipe

    def _is_valid(self, change: ThreadsChanged) -> bool:
        return 1 <= change.threads <= self._usual

    def begin(self) -> None:
        """Continues with the number of threads that the run had at its current step."""
        run = self._run
        threads = self._usual
        while self._left and self._left[0].step <= run.step:
            threads = self._left.popleft().threads
        if run.threads is not None and run.threads <= self._usual:
            # From the checkpoint, which counts more: the record may be damaged.
            threads = run.threads
        run.threads = self._usual
        if threads != self._usual:
            self._change(threads, is_trial=False)

    def after_step(self, seconds: float, images: int) -> None:
        """A step has taken that long; may change the number of threads for the next one.

        Before anything is saved, so that a checkpoint of this step has the number for the next one.
        """
        step = self._run.step
        while self._left and self._left[0].step <= step:
            change = self._left.popleft()
            self._change(change.threads, change.trial)
        if self._left or step < self._record.last_step:
            return
        if self._policy is None:
            self._policy = thread_policy.make_policy(self._usual, self._threads)
        else:
            self._consult(self._policy, seconds, images)
        if (self._policy.threads, self._policy.is_trial) != (self._threads, self._is_trial):
            self._change(self._policy.threads, self._policy.is_trial)

    def _consult(self, policy: thread_policy.Policy, seconds: float, images: int) -> None:
        if self._run.recipe is not self._recipe:
            self._recipe = self._run.recipe
            policy.start_over()
        policy.record(seconds, images)

    def _change(self, threads: int, is_trial: bool) -> None:
        run = self._run
        # The speed up to here is that of the old number.
        run.meter.flush()
        torch.set_num_threads(threads)
        self._threads, self._is_trial, run.threads = threads, is_trial, threads
        run.emit(ThreadsChanged(run.step, run.step / len(run.batches), threads, self._usual, is_trial))
