"""Fixtures for all tests of the window: no screen needed, no unexpected dialogs, nothing left running."""

from __future__ import annotations

import gc
import os

os.environ.setdefault(
    "QT_QPA_PLATFORM", "offscreen"
)  # before the first import of Qt, which looks for a screen

import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partialmethod

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, QThread, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QInputDialog, QMessageBox
from pytestqt.qtbot import QtBot

from tests.shapes_once import draw_once

PATIENCE_MS = 60_000
"""How long tests wait for what has to come. Long, because a busy machine may stop for seconds."""


class PatientQtBot(QtBot):
    """Waits longer than pytest-qt's 5 seconds, unless a test says how long."""


for _name in ("waitUntil", "waitSignal", "waitSignals", "waitActive", "waitExposed"):
    setattr(PatientQtBot, _name, partialmethod(getattr(QtBot, _name), timeout=PATIENCE_MS))


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """pytest-qt's, with more patience."""
    return PatientQtBot(request)


@pytest.fixture(scope="session", autouse=True)
def _empty_clipboard() -> Iterator[None]:
    """Clears the clipboard at the end: otherwise Qt destroys its Python objects after Python, and crashes."""
    yield
    if QGuiApplication.instance() is not None:
        QGuiApplication.clipboard().clear()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Collects the cycles of earlier tests in the main thread, and disables the collector for this test.

    Python collects in whichever thread allocates one object too many. In the compute thread that destroyed
    timers and event loops of the main thread, such as those that qtbot waits with, and sometimes crashed Qt.
    Hooks, not a fixture: the threads of a test may end only after the last fixture, or the first of the next.
    """
    gc.disable()
    gc.collect(1)  # everything new is still in the two young generations
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(autouse=True)
def _shapes_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_once(monkeypatch)


@pytest.fixture(autouse=True)
def _no_unexpected_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that opens an unexpected dialog, which would wait for an answer forever."""

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
def _no_pretrained_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the package: the Data page would compute with it for each data set that is added."""
    for module in ("checks.label_error_search", "small_sets.offer"):
        monkeypatch.setattr(f"cnnstudio.gui.pages.data_set.{module}.is_installed", lambda name: False)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Checks that the test has left no active timer and no running QThread.

    A timer that fires once, or a thread that is at its end, may take a moment longer on a busy machine: it
    ends here, with the events that it causes, and not in the next test.
    """
    before = {id(each) for each in _running()}
    yield
    deadline = time.monotonic() + 30
    while (left := [each for each in _running() if id(each) not in before]) and time.monotonic() < deadline:
        QCoreApplication.processEvents()
        time.sleep(0.005)
    assert not left, f"left running: {[f'{each!r} of {each.parent()!r}' for each in left]}"


def _running() -> list[QObject]:
    wrappers = shiboken6.getAllValidWrappers()
    timers = [each for each in wrappers if isinstance(each, QTimer) and each.isActive()]
    threads = [each for each in wrappers if isinstance(each, QThread) and _is_other_thread(each)]
    return [*timers, *threads]


def _is_other_thread(thread: QThread) -> bool:
    return thread is not QThread.currentThread() and thread.isRunning()


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """The environment for a virtual screen, or for the offscreen platform if there is no Xvfb."""
    if shutil.which("Xvfb") is None:
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{server.stdout.readline().strip()}"}
        server.terminate()
