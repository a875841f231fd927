"""Ctrl+C, SIGTERM and a terminal that is closed end the window in good order: the training is saved first."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier

from cnnstudio.runs.signals import endings


class SignalWatch(QObject):
    """Calls `act` with the signal's number, in the main thread, while it is not closed.

    Python's own handlers have to wait until Qt calls some Python code, which an idle window does not do. So
    the signal's number is written to a socket that Qt looks at.
    """

    def __init__(self, act: Callable[[int], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._act = act
        self._reading, self._writing = socket.socketpair()
        for end in (self._reading, self._writing):
            end.setblocking(False)
        self._before = endings()
        self._notifier = QSocketNotifier(self._reading.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._wakeup_before = signal.set_wakeup_fd(self._writing.fileno())
        for number in self._before:
            signal.signal(number, _nothing)

    def close(self) -> None:
        """Puts back what was before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._notifier.setEnabled(False)
        self._reading.close()
        self._writing.close()

    def _on_signal(self) -> None:
        for number in self._reading.recv(64):
            if number in self._before:
                self._act(number)


def _nothing(number: int, frame: FrameType | None) -> None:
    """With a handler of Python the signal does not end the process at once."""
