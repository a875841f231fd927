"""Reads in one thread what is then computed in the other, with one progress and one cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.compute.session import TrainingSession

Compute = Callable[[Any, ProgressFunction, CancelFunction], Any]
"""Gets what was read. Runs on the compute thread."""


class RunJob(QObject):
    """One job at a time. All signals are emitted in the main thread; after `cancel` none is."""

    progressed = Signal(object)
    """A core.progress.Progress."""
    done = Signal(object)
    failed = Signal(object)
    """The error message, one sentence."""

    def __init__(self, session: TrainingSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._reading: IoTask | None = None
        self._computing: ComputeTask | None = None

    @property
    def is_running(self) -> bool:
        return self._reading is not None or self._computing is not None

    def start(self, read: IoFunction, compute: Compute) -> None:
        """Runs `read(progress, cancelled)`, then `compute(what was read, progress, cancelled)`."""
        self.cancel()
        task = self._reading = IoTask(read, self)
        task.progressed.connect(self.progressed)
        task.done.connect(lambda found: self._compute(task, found, compute))
        task.failed.connect(self._on_failed)
        task.start()

    def _compute(self, task: IoTask, found: Any, compute: Compute) -> None:
        if self._reading is task:
            self._reading = None
            self._computing = self._session.run_task(
                lambda progress, cancelled: compute(found, progress, cancelled),
                self._on_done,
                self._on_failed,
                self.progressed.emit,
            )

    def cancel(self) -> None:
        """Ends the job; it ends in its thread when it next looks."""
        for task in (self._reading, self._computing):
            if task is not None:
                task.cancel()
        self._reading = self._computing = None

    def _on_done(self, result: object) -> None:
        self._computing = None
        self.done.emit(result)

    def _on_failed(self, problem: object) -> None:
        self._reading = self._computing = None
        self.failed.emit(problem)
