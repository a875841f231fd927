"""Ends background work before the program exits, so that no half-written file is left behind."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from cnnstudio.gui.compute.io_task import IoTask, has_unfinished_writes
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.widgets.message_box import Answer, MessageBox

_QUIET_SECONDS = 2.5
"""How long the window waits before it says what it is waiting for."""
_ASK_AGAIN_SECONDS = 15.0
_POLL_MS = 50


def end_work(window: QWidget, session: TrainingSession) -> None:
    """Cancels all background work of the window and waits for what writes files.

    If that takes long, a box says so and lets the user close the program without waiting.
    """
    end_work_unattended(window, session, _QUIET_SECONDS)
    if not is_unfinished(session):
        return
    # It only waits now; what is opened or changed would be lost.
    window.setEnabled(False)
    while is_unfinished(session):
        if _ask(window, session) == "close":
            return
        _wait_with_events(session, time.monotonic() + _ASK_AGAIN_SECONDS)


def end_work_unattended(window: QWidget, session: TrainingSession, seconds: float) -> None:
    """The same, at most for `seconds`, where nobody may be there who could answer."""
    _cancel(window)
    deadline = time.monotonic() + seconds
    session.shutdown(seconds)
    _wait(session, deadline)


def is_unfinished(session: TrainingSession) -> bool:
    """Whether cancelled work may still be writing files."""
    return session.is_working or has_unfinished_writes()


def _cancel(window: QWidget) -> None:
    for task in window.findChildren(IoTask):
        task.cancel()


def _wait(session: TrainingSession, deadline: float) -> None:
    while is_unfinished(session) and time.monotonic() < deadline:
        time.sleep(_POLL_MS / 1000)


def _wait_with_events(session: TrainingSession, deadline: float) -> None:
    """Keeps the disabled window painted."""
    while is_unfinished(session) and time.monotonic() < deadline:
        QApplication.processEvents()
        time.sleep(_POLL_MS / 1000)


def _ask(window: QWidget, session: TrainingSession) -> str:
    """Whether to `wait` or to `close` at once; `wait` as soon as the work has ended."""
    box = MessageBox(
        window,
        "Closing CNN Studio",
        "Waiting for background work to end",
        "It was canceled and is removing its unfinished files. CNN Studio then closes. If you close it now, "
        "unfinished files may be left behind.",
        icon="stop",
        answers=(
            Answer("close", "&Close now", on_left=True),
            Answer("wait", "&Keep waiting", default=True, escape=True, primary=True),
        ),
    )
    timer = QTimer(box)
    timer.setInterval(_POLL_MS)
    timer.timeout.connect(lambda: None if is_unfinished(session) else box.reject())
    timer.start()
    answer = box.ask()
    timer.stop()
    return answer
