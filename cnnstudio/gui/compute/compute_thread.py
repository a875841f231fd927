"""The compute thread: the only thread that computes with torch. It runs its tasks one after the other.

A second computing thread would cost the first up to half its speed, because torch keeps a thread pool for
each thread that calls it. So training, feature maps of an idle model, export and evaluation all run here, and
the main thread never computes.

Tasks are queued by Qt's event loop in the thread. It is busy while a task runs, so that nothing reaches a
running task through it: whatever a task must notice is a flag that it polls (`is_closing`, `Control`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

Task = Callable[[], None]

_log = logging.getLogger(__name__)

# Mutable and global on purpose: the objects must outlive their owner, up to the end of the process.
_abandoned: list[QThread] = []
"""Threads that did not end in time; referenced here so that their QThreads are never destroyed.

Destroying a running QThread aborts the process, and terminating one may leave locks behind. The program
exits without cleanup, which loses nothing: files are written to a temporary file first and then replaced.
"""


class _Queued:
    """A task on its way to the compute thread and back.

    The main thread has the last reference to the task: what it refers to may be widgets, which must not be
    destroyed on the compute thread.
    """

    def __init__(self, task: Task) -> None:
        self.task: Task | None = task


class _Worker(QObject):
    """Lives on the compute thread; each queued call runs one task."""

    task_done = Signal(object)
    """The _Queued."""

    def __init__(self, closing: threading.Event) -> None:
        super().__init__()
        self._closing = closing
        self.begun = 0
        """How many tasks have left the queue. Changed on the compute thread only."""

    @Slot(object)
    def run(self, queued: _Queued) -> None:
        self.begun += 1
        try:
            if not self._closing.is_set() and queued.task is not None:
                queued.task()
        except Exception:
            # Tasks report their own errors; one that gets here must still not end the thread.
            _log.exception("A task on the compute thread failed")
        # Also after an error, and for tasks that were dropped: `pending` must get back to 0.
        self.task_done.emit(queued)


class ComputeThread(QObject):
    """Owns the QThread and its worker; the thread starts with the first task."""

    task_done = Signal()
    """A task has ended; emitted in this object's thread."""
    _submitted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # The counts are changed in the main thread only, by `submit` and by the queued `_on_task_done`, so
        # that they need no lock. `_closing` is read by the compute thread, hence the threading.Event.
        self._thread: QThread | None = None
        self._worker: _Worker | None = None
        self._pending = self._submitted_count = 0
        self._closing = threading.Event()

    @property
    def pending(self) -> int:
        """The number of tasks that are queued or running."""
        return self._pending

    @property
    def waiting(self) -> int:
        """The number of tasks that are queued behind the running one. May be read from any thread.

        Unlike `pending`, it leaves out at once what has ended, of which the main thread may not know yet.
        """
        return 0 if self._worker is None else self._submitted_count - self._worker.begun

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
        self._submitted_count += 1
        self._submitted.emit(_Queued(task))

    def _start(self) -> None:
        # Without a parent: Qt would destroy it together with the window, running or not.
        self._thread = QThread()
        self._thread.setObjectName("computing")
        self._worker = _Worker(self._closing)
        self._worker.moveToThread(self._thread)
        # Explicitly: a direct call would run the task in the main thread, and the window would freeze.
        queued = Qt.ConnectionType.QueuedConnection
        self._submitted.connect(self._worker.run, queued)
        self._worker.task_done.connect(self._on_task_done, queued)
        self._thread.start()

    def _on_task_done(self, queued: _Queued) -> None:
        queued.task = None
        self._pending -= 1
        self.task_done.emit()

    def close(self, seconds: float) -> bool:
        """Ends the thread and waits at most `seconds` for it; False if it is still running then.

        Queued tasks are dropped. The running task is not interrupted: the caller must have told it to stop.
        """
        self._closing.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        # `quit` ends the event loop after the running task; tasks behind it are dropped by `_Worker.run`.
        thread.quit()
        if thread.wait(max(int(1000 * seconds), 0)):
            return True
        _abandoned.append(thread)
        return False
