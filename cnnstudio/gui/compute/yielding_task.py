"""Work on the compute thread that gives way to a training."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from cnnstudio.gui.compute.compute_task import ComputeFunction, ComputeTask
from cnnstudio.gui.compute.session import State, TrainingSession


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

    def __init__(self, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._function: ComputeFunction | None = None
        """What is to be done; None if there is nothing."""
        self._task: ComputeTask | None = None
        session.state_changed.connect(self._on_state_changed)

    @property
    def is_running(self) -> bool:
        """Whether there is something to do, also while it rests."""
        return self._function is not None

    @property
    def is_resting(self) -> bool:
        """Whether it waits for the end of a training."""
        return self.is_running and self._task is None

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
        if self._function is None or self._session.state is not State.IDLE:
            return
        self._task = self._session.run_task(
            self._function, self._on_done, self._on_failed, self.progressed.emit
        )

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
        self._function = self._task = None
        self.done.emit(result)
        self.changed.emit()

    def _on_failed(self, reason: str) -> None:
        self._function = self._task = None
        self.failed.emit(reason)
        self.changed.emit()
