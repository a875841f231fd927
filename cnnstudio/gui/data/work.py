"""Downloading and reading in a thread of its own, with progress, beside a window that stays awake."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from cnnstudio.data.progress import CancelFunction, Cancelled, ProgressFunction, throttled
from cnnstudio.layers.base import UserError

WorkFunction = Callable[[ProgressFunction, CancelFunction], Any]

_OWN_ERROR = "An error of the program’s own stopped this: {error}. The log says more."

_log = logging.getLogger(__name__)

_unfinished: set[QThread] = set()
"""Threads that run, kept here beyond the dialog: destroying one that still runs would end the program."""


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
        self._thread = _Thread(function, self._cancel)
        self._thread.progressed.connect(self._on_progressed)
        self._thread.result.connect(self._on_result)
        self._thread.finished.connect(self._on_finished)

    def start(self) -> None:
        """Starts it. Connect the signals before."""
        _unfinished.add(self._thread)
        self._thread.start()

    @property
    def is_cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Asks it to end; afterwards only `ended` comes."""
        self._cancel.set()

    def close(self, milliseconds: int = 1000) -> None:
        """Cancels, and waits so long for the end; a thread that hangs in the system is left to itself."""
        self.cancel()
        if self._thread.wait(milliseconds):
            _unfinished.discard(self._thread)

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
        _unfinished.discard(self._thread)
        self.ended.emit()


class _Thread(QThread):
    progressed = Signal(object)
    result = Signal(object)
    """(True, value) or (False, sentence)."""

    def __init__(self, function: WorkFunction, cancel: threading.Event) -> None:
        super().__init__()
        self._function = function
        self._cancel = cancel

    def run(self) -> None:
        try:
            value = self._function(throttled(self.progressed.emit), self._cancel.is_set)
        except Cancelled:
            return
        except UserError as error:
            self.result.emit((False, str(error)))
        except Exception as error:
            _log.exception("Work on the data failed")
            self.result.emit((False, _OWN_ERROR.format(error=error)))
        else:
            self.result.emit((True, value))
