"""Signals by which the system or the terminal asks a program to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cnnstudio.training.control import Control

_HANG_UP: int | None = getattr(signal, "SIGHUP", None)
"""A terminal that is closed; Windows has no such signal."""


def endings() -> dict[int, Any]:
    """The signals that ask for the end, with their handlers: Ctrl+C, SIGTERM, and a terminal that is closed.

    That one is left out where the program was started to outlive its terminal (nohup).
    """
    found: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if _HANG_UP is not None and signal.getsignal(_HANG_UP) is not signal.SIG_IGN:
        found[_HANG_UP] = signal.getsignal(_HANG_UP)
    return found


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Inside, Ctrl+C and SIGTERM stop the training in good order; a second one does what it always does.

    So does a terminal that is closed. Only the main thread can set this; in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = endings()

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        control.request_stop()
        # A terminal may say twice that it is closed, and nobody is there any more who could be in a hurry.
        if number != _HANG_UP:
            put_back()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        put_back()
