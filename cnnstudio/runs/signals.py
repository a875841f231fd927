"""Signals by which the system or the terminal asks a program to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cnnstudio.training.control import Control

_ENDINGS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Windows has no SIGHUP."""


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Inside, Ctrl+C and SIGTERM stop the training in good order; a second one does what it always does.

    So does a terminal that is closed (SIGHUP), unless the program was started to outlive it (nohup). Only the
    main thread can set this; in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDINGS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        control.request_stop()
        put_back()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        put_back()
