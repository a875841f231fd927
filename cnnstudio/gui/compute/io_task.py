"""Reading and downloading in a separate thread, with progress, so that the window stays responsive."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Signal

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import describe_internal_error
from cnnstudio.core.progress import CancelFunction, Cancelled, ProgressFunction, throttled

IoFunction = Callable[[ProgressFunction, CancelFunction], Any]

_log = logging.getLogger(__name__)


class IoTask(QObject):
    """Runs one function in a thread. All signals are emitted in the main thread.

    The function must wait for disks or the network and not compute with torch; for that see ComputeTask. So
    its thread does not slow down a training.
    """

    progressed = Signal(object)
    """A core.progress.Progress."""
    done = Signal(object)
    """The function's result."""
    failed = Signal(object)
    """The error message, one sentence."""
    ended = Signal()
    """Emitted last in every case, also after `cancel`; then the task has no parent any more."""

    def __init__(
        self, function: IoFunction, parent: QObject | None = None, *, writes_files: bool = False
    ) -> None:
        """With `writes_files`, the program does not exit before the function has ended."""
        super().__init__(parent)
        self._writes_files = writes_files
        self._cancel = threading.Event()
        self._relay = _Relay(function, self._cancel)
        self._thread = self._relay.worker
        self._relay.progressed.connect(self._on_progressed)
        self._relay.result.connect(self._on_result)
        self._relay.finished.connect(self._on_finished)

    def start(self) -> None:
        """Starts the thread. Connect the signals first."""
        _running.add(self._relay)
        self._thread.start()
        if self._writes_files:
            _writing[self._thread] = self._cancel

    def wait(self, seconds: float) -> None:
        """Waits at most `seconds` for the end, then emits at once the signals that are due."""
        self._thread.join(seconds)
        QCoreApplication.sendPostedEvents(self)

    @property
    def is_cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Asks the function to end; from now on only `ended` is emitted."""
        self._cancel.set()

    def close(self, seconds: float = 1.0) -> None:
        """Cancels and waits at most `seconds`; a thread that is stuck in a system call is abandoned."""
        self.cancel()
        self._thread.join(seconds)

    def _on_progressed(self, progress: object) -> None:
        if not self.is_cancelled:
            self.progressed.emit(progress)

    def _on_result(self, result: object) -> None:
        if self.is_cancelled:
            return
        assert isinstance(result, tuple)
        succeeded, value = result
        (self.done if succeeded else self.failed).emit(value)

    def _on_finished(self) -> None:
        self.ended.emit()
        # Its owner, the parent, may live as long as the window, and starts many. Without a parent it is
        # deleted once only: Python may delete the owner before the event loop deletes the task.
        self.setParent(None)
        self.deleteLater()


class _Relay(QObject):
    """Carries results from the thread to the main thread.

    An object apart from the task, because the task may be deleted, with the dialog that owns it, while the
    thread still runs. `_running` keeps the relay alive until the thread has ended.
    """

    progressed = Signal(object)
    result = Signal(object)
    """(True, value) or (False, error message)."""
    finished = Signal()

    def __init__(self, function: IoFunction, cancel: threading.Event) -> None:
        super().__init__()
        # A daemon, because reading from a dead network drive cannot be interrupted and must not keep the
        # program from exiting. A QThread would be destroyed while it runs, which aborts the process.
        arguments = (function, cancel, self)
        self.worker = threading.Thread(target=_run, args=arguments, name="data", daemon=True)
        self._function: IoFunction | None = function
        self.finished.connect(self._on_finished)

    def _on_finished(self) -> None:
        # The last reference to the function, which may refer to widgets, and to this object must be one of
        # the main thread, which destroys them. The thread has nothing left to do but to end.
        self.worker.join()
        self._function = None
        _running.discard(self)


_running: set[_Relay] = set()
_writing: dict[threading.Thread, threading.Event] = {}
"""The threads of tasks that write files, and whether they were cancelled; some may have ended."""


def has_unfinished_writes() -> bool:
    """Whether a task that writes files was cancelled and has not ended yet."""
    for thread in [thread for thread in _writing if not thread.is_alive()]:
        del _writing[thread]
    return any(cancel.is_set() for cancel in _writing.values())


def _run(function: IoFunction, cancel: threading.Event, relay: _Relay) -> None:
    # RuntimeError: when the program exits, the relay's C++ object may be deleted before its Python wrapper.
    with contextlib.suppress(RuntimeError):
        result = _call(function, cancel, relay)
        if result is not None:
            relay.result.emit(result)
        relay.finished.emit()


def _call(function: IoFunction, cancel: threading.Event, relay: _Relay) -> tuple[bool, Any] | None:
    """(True, result) or (False, error message); None if it was cancelled."""
    try:
        return True, function(throttled(relay.progressed.emit), cancel.is_set)
    except Cancelled:
        return None
    except UserError as error:
        return False, str(error)
    except Exception as error:
        _log.exception("An I/O task failed")
        return False, describe_internal_error(error)
