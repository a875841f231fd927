"""A clean shutdown on Ctrl+C, SIGTERM and a closed terminal: the training is saved first."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier

from cnnstudio.runs.signals import shutdown_signals


class ShutdownSignalWatcher(QObject):
    """Calls `callback` with the number of each shutdown signal, in the main thread, until closed.

    Python runs signal handlers only between bytecode instructions, and an idle Qt event loop executes none.
    So the interpreter writes the signal's number to a socket, which wakes up Qt's event loop.
    """

    def __init__(self, callback: Callable[[int], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._callback = callback
        self._receiver, self._sender = socket.socketpair()
        for end in (self._receiver, self._sender):
            end.setblocking(False)
        self._previous_handlers = shutdown_signals()
        self._notifier = QSocketNotifier(self._receiver.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._previous_wakeup_fd = signal.set_wakeup_fd(self._sender.fileno())
        for number in self._previous_handlers:
            signal.signal(number, _do_nothing)

    def close(self) -> None:
        """Restores the previous handlers."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_wakeup_fd)
        self._notifier.setEnabled(False)
        self._receiver.close()
        self._sender.close()

    def _on_signal(self) -> None:
        for number in self._receiver.recv(64):
            if number in self._previous_handlers:
                self._callback(number)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Any Python handler keeps the signal from ending the process at once."""
