"""Runs tasks on the compute thread, and brings what they send to the main thread.

What a task sends waits in a queue, which a timer drains in the main thread while tasks are pending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.compute_thread import ComputeThread
from cnnstudio.gui.compute.event_queue import EventQueue

DRAIN_EVERY_MS = 80
"""Waking the main thread takes a core from torch each time; and nobody reads faster than this."""


class TaskRunner(QObject):
    """The compute thread and the queue that leads back from it."""

    delivered = Signal(object)
    """A tuple of events that tasks have put into `queue`; emitted in the main thread."""
    became_free = Signal()
    """No task is queued or running any more; emitted in the main thread, after all callbacks."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.queue = EventQueue()
        """Tasks put events and calls into it."""
        self._tasks: set[ComputeTask] = set()
        self._working = threading.Event()
        self._thread = ComputeThread(self)
        self._thread.task_done.connect(self._on_task_done)
        self._timer = QTimer(self)
        self._timer.setInterval(DRAIN_EVERY_MS)
        self._timer.timeout.connect(self.drain)

    @property
    def is_busy(self) -> bool:
        """Whether a task is queued or running."""
        return self._thread.pending > 0

    @property
    def has_waiting_tasks(self) -> bool:
        """Whether something is queued behind the running task. May be read from any thread."""
        return self._thread.waiting > 0

    @property
    def is_working(self) -> bool:
        """Whether a task is running whose end has to be awaited, because it writes files."""
        return self._working.is_set()

    # Called in the main thread

    def submit(self, function: Callable[[], None], *, is_work: bool = True) -> None:
        """Queues a function behind what is queued; without `is_work` nobody has to await its end."""
        # The timer runs only while something is pending, so that an idle window does not wake up.
        self._thread.submit((lambda: self._work(function)) if is_work else function)
        if not self._thread.is_closing:
            self._timer.start()

    def run(self, task: ComputeTask) -> None:
        """Queues a task. Its callbacks are called in the main thread, unless it is cancelled before."""
        self._tasks.add(task)
        self.submit(lambda: self._run(task))

    def drain(self) -> None:
        """Delivers everything that the compute thread has sent, in order."""
        self.queue.drain(self.delivered.emit)

    def shutdown(self, seconds: float) -> bool:
        """Cancels the tasks and ends the thread; False if it did not end in time."""
        for task in self._tasks:
            task.cancel()
        ended = self._thread.close(seconds)
        self.drain()
        self._timer.stop()
        return ended

    def _on_task_done(self) -> None:
        # Without waiting for the timer, which may be stopped now: nothing would deliver the last events.
        self.drain()
        if not self.is_busy:
            self._timer.stop()
            self.became_free.emit()

    # Called in the compute thread

    def _work(self, function: Callable[[], None]) -> None:
        self._working.set()
        try:
            function()
        finally:
            self._working.clear()

    def _run(self, task: ComputeTask) -> None:
        # A task stays in `_tasks` until its callbacks have run, so that `shutdown` can cancel each one
        # before.
        try:
            task.run(self.queue, lambda: self._thread.is_closing)
        finally:
            self.queue.call(lambda: self._tasks.discard(task))
