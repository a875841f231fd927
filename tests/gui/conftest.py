"""What every test of the window gets: no screen needed, no dialog waited for, nothing left running."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before the first Qt import looks for a screen

import shutil
import subprocess
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QObject, QThread, QTimer
from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox


@pytest.fixture(autouse=True)
def _no_unexpected_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that a test did not announce would wait for an answer for ever: it fails the test instead."""

    def unexpected(*arguments: object, **options: object) -> None:
        raise AssertionError(f"an unexpected dialog opened: {arguments}")

    for name in ("about", "critical", "information", "question", "warning"):
        monkeypatch.setattr(QMessageBox, name, unexpected)
    for name in ("getExistingDirectory", "getOpenFileName", "getOpenFileNames", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, unexpected)
    for name in ("getText", "getInt", "getDouble", "getItem", "getMultiLineText"):
        monkeypatch.setattr(QInputDialog, name, unexpected)
    for dialog in (QDialog, QMessageBox, QFileDialog):
        monkeypatch.setattr(dialog, "exec", unexpected)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """After the test's windows are closed no timer ticks and no QThread runs that was not there before."""
    before = {id(thing) for thing in _running()}
    yield
    left = [thing for thing in _running() if id(thing) not in before]
    assert not left, f"left running: {[f'{thing!r} of {thing.parent()!r}' for thing in left]}"


def _running() -> list[QObject]:
    wrappers = shiboken6.getAllValidWrappers()
    timers = [thing for thing in wrappers if isinstance(thing, QTimer) and thing.isActive()]
    threads = [thing for thing in wrappers if isinstance(thing, QThread) and _works(thing)]
    return [*timers, *threads]


def _works(thread: QThread) -> bool:
    return thread is not QThread.currentThread() and thread.isRunning()


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """The environment of a virtual screen; of no screen at all where this machine has no Xvfb."""
    if shutil.which("Xvfb") is None:
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{server.stdout.readline().strip()}"}
        server.terminate()
