"""Downloading and reading in a thread of its own, with progress, beside a window that stays awake."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Signal

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import own_error
from cnnstudio.core.progress import CancelFunction, Cancelled, ProgressFunction, throttled

WorkFunction = Callable[[ProgressFunction, CancelFunction], Any]

_log = logging.getLogger(__name__)


class Work(QObject):
    """One piece of work. It must not compute with torch, so that its thread costs a training nothing."""

    progressed = Signal(object)
    """A data.progress.Progress."""
    done = Signal(object)
    """What the function gave."""
    failed = Signal(object)
    """A sentence."""
    ended = Signal()
    """In every case, cancelled or not, after the others."""

    def __init__(self, function: WorkFunction, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cancel = threading.Event()
        self._relay = _Relay()
        self._relay.progressed.connect(self._on_progressed)
        self._relay.result.connect(self._on_result)
        self._relay.finished.connect(self._on_finished)
        # A daemon, for reading a dead network drive cannot be interrupted and must not keep the program from
        # ending. A QThread would be destroyed while it runs, which aborts the process.
        arguments = (function, self._cancel, self._relay)
        self._thread = threading.Thread(target=_work, args=arguments, name="data", daemon=True)

    def start(self) -> None:
        """Starts it. Connect the signals before."""
        _running.add(self._relay)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Waits so long for the end, at the most; what it then has to say is said at once."""
        self._thread.join(seconds)
        QCoreApplication.sendPostedEvents(self)

    @property
    def is_cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Asks it to end; afterwards only `ended` comes."""
        self._cancel.set()

    def close(self, seconds: float = 1.0) -> None:
        """Cancels, and waits so long for the end; a thread that hangs in the system is left to itself."""
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


class _Relay(QObject):
    """Carries what the thread says into the main thread; lives as long as the thread may speak."""

    progressed = Signal(object)
    result = Signal(object)
    """(True, value) or (False, sentence)."""
    finished = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.finished.connect(self._on_finished)

    def _on_finished(self) -> None:
        _running.discard(self)


_running: set[_Relay] = set()


def _work(function: WorkFunction, cancel: threading.Event, relay: _Relay) -> None:
    # RuntimeError: at the program's end Qt's side of the relay may be gone before its Python side.
    with contextlib.suppress(RuntimeError):
        result = _result(function, cancel, relay)
        if result is not None:
            relay.result.emit(result)
        relay.finished.emit()


def _result(function: WorkFunction, cancel: threading.Event, relay: _Relay) -> tuple[bool, Any] | None:
    try:
        return True, function(throttled(relay.progressed.emit), cancel.is_set)
    except Cancelled:
        return None
    except UserError as error:
        return False, str(error)
    except Exception as error:
        _log.exception("Work on the data failed")
        return False, own_error(error)
