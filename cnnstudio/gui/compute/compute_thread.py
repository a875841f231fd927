"""The compute thread: the only thread that computes with torch. It runs its tasks one after the other.

A second computing thread would cost the first up to half its speed, because torch keeps a thread pool for
each thread that calls it. So training, feature maps of an idle model, export and evaluation all run here, and
the main thread never computes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

Task = Callable[[], None]

_log = logging.getLogger(__name__)

_abandoned: list[QThread] = []
"""Threads that did not end in time; referenced here so that their QThreads are never destroyed."""


def has_running_threads() -> bool:
    """Whether a compute thread did not end in time, so that the process has to exit by `os._exit`.

    Destroying a running QThread aborts the process, and terminating one may leave locks behind. Exiting at
    once loses nothing: files are always written to a temporary file first and then replaced.
    """
    return any(thread.isRunning() for thread in _abandoned)


class _Worker(QObject):
    """Lives on the compute thread; each queued call runs one task."""

    task_done = Signal(object)

    def __init__(self, closing: threading.Event) -> None:
        super().__init__()
        self._closing = closing

    @Slot(object)
    def run(self, task: Task) -> None:
        try:
            if not self._closing.is_set():
                task()
        except Exception:
            # Tasks report their own errors; one that gets here must still not end the thread.
            _log.exception("A task on the compute thread failed")
        self.task_done.emit(task)


class ComputeThread(QObject):
    """Owns the QThread and its worker; the thread starts with the first task."""

    task_done = Signal(object)
    """The task that ended; emitted in this object's thread."""
    _submitted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: QThread | None = None
        self._worker: _Worker | None = None
        self._pending = 0
        self._closing = threading.Event()

    @property
    def pending(self) -> int:
        """The number of tasks that are queued or running."""
        return self._pending

    @property
    def is_closing(self) -> bool:
        """Whether the running task should end. May be read from any thread."""
        return self._closing.is_set()

    def submit(self, task: Task) -> None:
        """Queues the task behind those submitted before it; ignored after `close`."""
        if self._closing.is_set():
            return
        if self._thread is None:
            self._start()
        self._pending += 1
        self._submitted.emit(task)

    def _start(self) -> None:
        self._thread = QThread()
        self._thread.setObjectName("computing")
        self._worker = _Worker(self._closing)
        self._worker.moveToThread(self._thread)
        queued = Qt.ConnectionType.QueuedConnection
        self._submitted.connect(self._worker.run, queued)
        self._worker.task_done.connect(self._on_task_done, queued)
        self._thread.start()

    def _on_task_done(self, task: object) -> None:
        self._pending -= 1
        self.task_done.emit(task)

    def close(self, seconds: float) -> bool:
        """Ends the thread and waits at most `seconds` for it; False if it is still running then.

        Queued tasks are dropped. The running task is not interrupted: the caller must have told it to stop.
        """
        self._closing.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.quit()
        if thread.wait(max(int(1000 * seconds), 0)):
            return True
        _abandoned.append(thread)
        return False
