"""Signals with which the system or the terminal asks a program to exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cnnstudio.training.control import Control

_HANG_UP: int | None = getattr(signal, "SIGHUP", None)
"""The terminal was closed; Windows has no such signal."""


def shutdown_signals() -> dict[int, Any]:
    """The signals that ask the program to exit, with their handlers: SIGINT (Ctrl+C), SIGTERM and SIGHUP.

    SIGHUP is left out if the program was started to outlive its terminal (nohup).
    """
    found: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if _HANG_UP is not None and signal.getsignal(_HANG_UP) is not signal.SIG_IGN:
        found[_HANG_UP] = signal.getsignal(_HANG_UP)
    return found


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Inside, Ctrl+C, SIGTERM and a closed terminal stop the training after the current step.

    A second signal does what it would do without this: a user who presses Ctrl+C twice does not want to wait.
    Python sets signal handlers in the main thread only; in another thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = shutdown_signals()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        control.request_stop()
        # A closing terminal may send its signal twice, and there is no user left who could be in a hurry.
        if number != _HANG_UP:
            restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
