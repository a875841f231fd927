"""What happens between two steps of a run: stop, pause, changes, progress, checkpoints, probes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cnnstudio.training.control import Probe
from cnnstudio.training.distributed.sync import Agreement, Due
from cnnstudio.training.events import Paused, Resumed, SnapshotTaken
from cnnstudio.training.recipe.live_changes import adjusted
from cnnstudio.training.recipe.recipe import RecipeError
from cnnstudio.training.run_state import Course

_PROBE_SHARE = 0.02
"""Of the run's time, at most, for all probes together."""

_PAUSE_TICK = 0.05
"""Seconds between two looks at the world while paused."""


class Stopped(Exception):
    """The run was asked to stop."""


class BetweenSteps:
    """Looks up from the work: what is asked for, what is due, and what probes want to see."""

    def __init__(self, course: Course, agreement: Agreement, probes: Sequence[Probe]) -> None:
        self._course = course
        self._agreement = agreement
        self._control = agreement.control
        self._probes = probes
        self._probe_seconds = 0.0

    def begin(self) -> None:
        """Before the first step."""
        for probe in self._probes:
            probe.begin(self._course.prepared.examples.images)

    def look(self) -> None:
        """Raises Stopped; NotFiniteError where a loss that is read now is no number."""
        course, saving = self._course, self._course.saving
        is_time = saving.is_due(course.step, course.watch.seconds)
        due = self._agreement.meet(
            course.step, Due(course.meter.is_due, is_time), at_once=is_time and saving.counts_steps
        )
        if self._control.pause.is_set():
            self._pause()
        if self._control.stop.is_set():
            raise Stopped
        if self._control.has_changes:
            self._change()
        if due.reading:
            course.meter.flush()
        if due.saving:
            course.keep_unfinished()
        if self._probes and self._probe_seconds <= _PROBE_SHARE * course.watch.seconds:
            self._probe()

    def _pause(self) -> None:
        control, course = self._control, self._course
        if control.stop.is_set():
            return
        course.meter.flush()
        course.emit(Paused(course.step))
        course.watch.pause()
        course.keep_unfinished()
        while not control.single_step.is_set() and control.wait_if_paused(_PAUSE_TICK):
            self._probe()
            self._agreement.meet(course.step, Due(False, False), at_once=True)
            self._change()
        course.watch.resume()
        if control.single_step.is_set():
            # After it, the run waits again.
            control.single_step.clear()
        elif not control.stop.is_set():
            course.emit(Resumed(course.step))

    def _change(self) -> None:
        """Does what was asked for since the last time."""
        course = self._course
        recipe = course.recipe
        for fields in self._control.changes():
            try:
                recipe = adjusted(recipe, fields)
            except RecipeError as error:
                course.warn(f"The run goes on as it was. {error}.")
        if recipe != course.recipe:
            course.meter.flush()
            course.change_to(recipe)
            course.meter.reschedule(course.learning_rate, course.steps)
            course.keeper.saved_step = -1
            course.keep_unfinished()

    def _probe(self) -> None:
        course = self._course
        began = time.perf_counter()
        for probe in self._probes:
            if probe.due(course.step, began):
                seen = probe.take(course.model, course.prepared.device)
                if seen is not None:
                    epoch = course.step / len(course.batches)
                    course.emit(SnapshotTaken(course.step, epoch, probe.kind, seen))
        self._probe_seconds += time.perf_counter() - began
