"""Work on the compute thread that gives way to a training."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import Cancelled
from cnnstudio.gui.compute.compute_task import (
    CancelFunction,
    ComputeFunction,
    ComputeTask,
    ProgressFunction,
)
from cnnstudio.gui.compute.session import State, TrainingSession

_GAVE_WAY = object()
"""In place of a result."""


class YieldingTask(QObject):
    """A function that runs while no training does. A training that starts ends it; it begins anew afterwards.

    So it has to be one that loses little by that. All signals are emitted in the main thread; after `cancel`
    none is.
    """

    changed = Signal()
    """Whether it runs, or rests, has changed."""
    progressed = Signal(object)
    """A core.progress.Progress."""
    done = Signal(object)
    """The function's result."""
    failed = Signal(object)
    """The error message, one sentence."""

    def __init__(
        self, session: TrainingSession, parent: QObject | None = None, *, is_last: bool = False
    ) -> None:
        """One that `is_last` gives way to all other work as well, such as the answer to a tried image."""
        super().__init__(parent)
        self._session = session
        self._is_last = is_last
        self._function: ComputeFunction | None = None
        """What is to be done; None if there is nothing."""
        self._task: ComputeTask | None = None
        session.state_changed.connect(self._on_state_changed)
        session.became_free.connect(self._begin)

    @property
    def is_running(self) -> bool:
        """Whether there is something to do, also while it rests."""
        return self._function is not None

    @property
    def is_resting(self) -> bool:
        """Whether it waits for the end of a training."""
        return self.is_running and self._session.state is not State.IDLE

    def start(self, function: ComputeFunction) -> None:
        """Runs `function(progress, cancelled)`, in place of what ran before."""
        self.cancel()
        self._function = function
        self._begin()
        self.changed.emit()

    def cancel(self) -> None:
        """Ends it; the function notices when it next asks."""
        if self._task is not None:
            self._task.cancel()
        was_running, self._function, self._task = self.is_running, None, None
        if was_running:
            self.changed.emit()

    def _begin(self) -> None:
        if self._function is None or self._task is not None or self._session.state is not State.IDLE:
            return
        # Not queued behind what it gives way to: answers to views give way to whatever is queued, and the two
        # would take turns for ever without getting anywhere.
        if self._is_last and self._session.is_busy:
            return
        self._task = self._session.run_task(
            self._giving_way(self._function) if self._is_last else self._function,
            self._on_done,
            self._on_failed,
            self.progressed.emit,
        )

    def _giving_way(self, function: ComputeFunction) -> ComputeFunction:
        """The function, which ends when other work waits for the thread; the result then is _GAVE_WAY."""
        session = self._session

        def run(progress: ProgressFunction, cancelled: CancelFunction) -> object:
            try:
                return function(progress, lambda: cancelled() or session.has_waiting_tasks)
            except Cancelled:
                if cancelled():
                    raise
                return _GAVE_WAY

        return run

    def _on_state_changed(self, state: object) -> None:
        if not self.is_running:
            return
        if state is State.IDLE:
            if self._task is None:
                self._begin()
        elif self._task is not None:
            self._task.cancel()
            self._task = None
        self.changed.emit()

    def _on_done(self, result: object) -> None:
        if result is _GAVE_WAY:
            # After what waits.
            self._task = None
            self._begin()
            return
        self._function = self._task = None
        self.done.emit(result)
        self.changed.emit()

    def _on_failed(self, reason: str) -> None:
        self._function = self._task = None
        self.failed.emit(reason)
        self.changed.emit()
