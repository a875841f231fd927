"""What happens between two steps of a run: stop, pause, recipe changes, progress, checkpoints, probes.

All of it happens here and nowhere else, because only between two steps do the weights, the optimizer, the
random numbers and the position belong to the same step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from cnnstudio.core.errors import UserError
from cnnstudio.training.control import BackgroundWork, Probe
from cnnstudio.training.distributed.sync import Due, RankSync
from cnnstudio.training.events import FULL_DISK, Paused, Resumed, SnapshotTaken
from cnnstudio.training.recipe.live_changes import apply_changes
from cnnstudio.training.recipe.recipe import RecipeError
from cnnstudio.training.run_state import RunState

_MAX_PROBE_SHARE = 0.02
"""Of the run's time, for all probes together."""

_BACKGROUND_SHARE = 0.035
"""Of the run's time, for background work, however much there is: with what an open window takes to draw,
that is less than 5%.
"""
_QUICK_SHARE = 0.28
"""The same while it has time saved: what is asked for once in a while is answered soon."""
_MAX_SAVED_SECONDS = 1.0
"""How much of its share background work saves while there is none."""
_MAX_WAIT_SECONDS = 1.0
"""For a slice that took more than its share, unless the quick share asks for more: long ones get on, too."""

_PAUSE_INTERVAL = 0.05
"""Seconds between two checks of the control while paused."""


_RETRY_SECONDS = 30.0
"""How long saving the best weights is tried again, where nobody can resume a paused run."""
_FIRST_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.1, 2.0
"""Between two attempts; each waits twice as long as the one before."""
_PAUSED = "The best weights could not be saved, so training is paused:"

SaveFailurePolicy = Literal["warn", "fail", "retry", "pause"]
"""What a run does while its best weights cannot be saved, as on a full disk.

"warn": only that. "fail": trains on, and fails if they still cannot be saved at the end. "retry": pauses,
tries again for half a minute, and then fails. "pause": pauses until it is asked to resume, then tries again.
"""


class UnsavedError(UserError):
    """The best weights could not be saved, so the run ends. How it ended says which are on the disk."""


class Stopped(Exception):
    """The run was asked to stop."""


class BackgroundShare:
    """Gives background work its slices of the time, so that the training keeps most of it."""

    def __init__(self) -> None:
        self._next_at = 0.0
        """On `time.perf_counter`: until then the training has the time to itself."""
        self._saved, self._saved_at = _MAX_SAVED_SECONDS, 0.0
        """Seconds of its share that are not used yet, as of that time; negative if it took more."""

    def advance(self, background: BackgroundWork) -> None:
        """Does a slice, if the training has had its share of the time since the last one."""
        began = time.perf_counter()
        if began < self._next_at:
            return
        background.advance()
        ended = time.perf_counter()
        took = ended - began
        gained = _BACKGROUND_SHARE * (ended - self._saved_at)
        left = min(self._saved + gained, _MAX_SAVED_SECONDS) - took
        self._saved, self._saved_at = max(left, -_BACKGROUND_SHARE * _MAX_WAIT_SECONDS), ended
        # At the quick share, or when what it took too much is made up for.
        self._next_at = ended + max(took * (1 / _QUICK_SHARE - 1), -self._saved / _BACKGROUND_SHARE)


class StepHooks:
    """Reacts between steps to requests, to the clock, and to probes."""

    def __init__(
        self,
        run: RunState,
        sync: RankSync,
        probes: Sequence[Probe],
        on_save_failure: SaveFailurePolicy = "warn",
        background: BackgroundWork | None = None,
    ) -> None:
        self._run = run
        self._sync = sync
        self._control = sync.control
        self._probes = probes
        self._on_save_failure = on_save_failure
        self._probe_seconds = 0.0
        self._background = background
        self._share = BackgroundShare()

    def before_first_step(self) -> None:
        for probe in self._probes:
            probe.begin(self._run.prepared.sample_images.images)

    def after_step(self) -> None:
        """Also called once at the beginning of each epoch.

        Raises Stopped, and NotFiniteError if a loss that is read now is NaN or infinite.
        """
        run, schedule = self._run, self._run.save_schedule
        is_save_due = schedule.is_due(run.step, run.stopwatch.seconds)
        # A schedule in steps is due on all ranks at the same step, so that they may synchronize there. One in
        # seconds is due by each rank's own clock: then the first rank's decides, at the next regular sync.
        due = self._sync.synchronize(
            run.step, Due(run.meter.is_due, is_save_due), at_once=is_save_due and schedule.is_step_based
        )
        # The pause first: a stop that ends it must be noticed right after it.
        if self._control.pause.is_set():
            self._pause()
            self.wait_until_saved()
        if self._control.stop.is_set():
            raise Stopped
        if self._control.has_changes:
            self._apply_changes()
        if due.flush:
            run.meter.flush()
        if due.save:
            run.save_if_needed()
            self.wait_until_saved()
        if self._probes and self._probe_seconds <= _MAX_PROBE_SHARE * run.stopwatch.seconds:
            self._run_probes()
        if self._background is not None and self._background.is_pending:
            self._share.advance(self._background)

    def wait_until_saved(self) -> None:
        """Pauses while the best weights cannot be saved, if the policy says so.

        Raises Stopped or UnsavedError.
        """
        run, control = self._run, self._control
        reason = run.checkpoints.unsaved_reason
        if not reason or self._on_save_failure not in ("retry", "pause"):
            return
        if self._on_save_failure == "retry":
            run.warn(f"{_PAUSED} {reason} Trying again for {_RETRY_SECONDS:.0f} s.")
            self._retry_saving()
        while reason := run.checkpoints.unsaved_reason:
            is_full = run.checkpoints.is_disk_full
            remedy = "Free some space" if is_full else "Fix this"
            run.warn(f"{_PAUSED} {reason} {remedy}, then resume.", FULL_DISK if is_full else None)
            control.request_pause()
            self._pause()
            if control.stop.is_set():
                raise Stopped
            run.checkpoints.save_best()
        run.save_if_needed()

    def _retry_saving(self) -> None:
        """Raises Stopped or UnsavedError if the best weights cannot be saved within a while."""
        run, control = self._run, self._control
        run.emit(Paused(run.step))
        run.stopwatch.pause()
        deadline, delay = time.monotonic() + _RETRY_SECONDS, _FIRST_RETRY_SECONDS
        while run.checkpoints.unsaved_reason and time.monotonic() < deadline:
            if control.stop.wait(delay):
                break
            delay = min(2 * delay, _MAX_RETRY_SECONDS)
            run.checkpoints.save_best()
        paused = run.stopwatch.resume()
        if not run.checkpoints.unsaved_reason:
            run.emit(Resumed(run.step, paused))
        elif control.stop.is_set():
            raise Stopped
        else:
            raise UnsavedError(
                f"The best weights could not be saved in time: {run.checkpoints.unsaved_reason}"
            )

    def _pause(self) -> None:
        """Waits until the pause ends or a single step is requested, after which the run pauses again."""
        control, run = self._control, self._run
        if control.stop.is_set():
            return
        run.meter.flush()
        run.emit(Paused(run.step))
        run.stopwatch.pause()
        run.save_if_needed()
        while not control.single_step.is_set() and control.wait_if_paused(self._pause_interval):
            self._run_probes()
            if self._background is not None and self._background.is_pending:
                self._background.advance()
            # All ranks are paused here, at the same step, and only a sync can tell them that it is over.
            self._sync.synchronize(run.step, Due(False, False), at_once=True)
            self._apply_changes()
        paused = run.stopwatch.resume()
        if control.single_step.is_set():
            # `pause` stays set, so that the next call of `after_step` pauses again.
            control.single_step.clear()
        elif not control.stop.is_set():
            run.emit(Resumed(run.step, paused))

    @property
    def _pause_interval(self) -> float:
        """Seconds to wait while paused; none while there is background work, which then has all the time."""
        has_work = self._background is not None and self._background.is_pending
        return 0.0 if has_work else _PAUSE_INTERVAL

    def _apply_changes(self) -> None:
        """Applies the requested changes; one that is not possible is a warning."""
        run = self._run
        recipe = run.recipe
        for fields in self._control.take_changes():
            try:
                recipe = apply_changes(recipe, fields)
            except RecipeError as error:
                run.warn(f"The change was ignored. {error}.")
        if recipe != run.recipe:
            # Losses up to here belong to the old learning rate.
            run.meter.flush()
            run.change_recipe(recipe)
            run.meter.reschedule(run.learning_rate, run.steps)
            # A run that is killed now must resume with the new recipe.
            run.checkpoints.mark_unsaved()
            run.save_if_needed()

    def _run_probes(self) -> None:
        run = self._run
        began = time.perf_counter()
        for probe in self._probes:
            if probe.is_due(run.step, began):
                payload = probe.capture(run.model, run.prepared.device)
                if payload is not None:
                    epoch = run.step / len(run.batches)
                    run.emit(SnapshotTaken(run.step, epoch, probe.kind, payload))
        self._probe_seconds += time.perf_counter() - began
