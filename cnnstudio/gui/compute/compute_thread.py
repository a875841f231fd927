"""The one thread on which torch computes: it does what it is given, one after the other.

A second thread that computes would cost the first up to half its speed, because torch keeps a pool of threads
for each. So training, feature maps of an idle model, export and evaluation all come here, and the main thread
never computes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

Task = Callable[[], None]

_log = logging.getLogger(__name__)

_left: list[QThread] = []


def threads_left() -> bool:
    """Whether a thread could not be ended in time. The process then has to end by `os._exit`.

    Destroying a QThread that runs aborts the process, and terminating one may leave locks behind. All files
    are written whole or not at all, so leaving at once loses nothing.
    """
    return any(thread.isRunning() for thread in _left)


class _Worker(QObject):
    """Lives on the thread; each queued call does one task."""

    done = Signal(object)

    def __init__(self, closing: threading.Event) -> None:
        super().__init__()
        self._closing = closing

    @Slot(object)
    def work(self, task: Task) -> None:
        try:
            if not self._closing.is_set():
                task()
        except Exception:
            # Tasks answer for their own errors; what gets here must still not end the thread.
            _log.exception("A task on the computing thread failed")
        self.done.emit(task)


class ComputingThread(QObject):
    """Owns the QThread and its worker; starts it with the first task."""

    done = Signal(object)
    """A task ended, the task itself; sent in this object's thread."""
    _given = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: QThread | None = None
        self._worker: _Worker | None = None
        self._tasks = 0
        self._closing = threading.Event()

    @property
    def tasks(self) -> int:
        """How many tasks wait or run."""
        return self._tasks

    @property
    def is_closing(self) -> bool:
        """Asked from any thread: what is under way should end."""
        return self._closing.is_set()

    def do(self, task: Task) -> None:
        """Does the task after those that were given before; nothing any more after `close`."""
        if self._closing.is_set():
            return
        if self._thread is None:
            self._start()
        self._tasks += 1
        self._given.emit(task)

    def _start(self) -> None:
        self._thread = QThread()
        self._thread.setObjectName("computing")
        self._worker = _Worker(self._closing)
        self._worker.moveToThread(self._thread)
        queued = Qt.ConnectionType.QueuedConnection
        self._given.connect(self._worker.work, queued)
        self._worker.done.connect(self._on_done, queued)
        self._thread.start()

    def _on_done(self, task: object) -> None:
        self._tasks -= 1
        self.done.emit(task)

    def close(self, seconds: float) -> bool:
        """Ends the thread; what is under way must have been told to end. False where it runs on."""
        self._closing.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.quit()
        if thread.wait(max(int(1000 * seconds), 0)):
            return True
        _left.append(thread)
        return False
