"""An unexpected error is told once, however often it occurs."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

import pytest
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from cnnstudio.gui.shell.errors.excepthook import install_excepthook

Show = Callable[[str], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Show], None]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return install_excepthook


def _fail(error: Exception) -> None:
    try:
        raise error
    except Exception:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # there is an exception


def test_an_error_in_each_frame_is_told_once_though_telling_it_causes_the_next_frame(
    qapp: QApplication, install: Callable[[Show], None], caplog: pytest.LogCaptureFixture
) -> None:
    class Painted(QWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            raise ZeroDivisionError

    widget, label, told = Painted(), QLabel(), []

    def show(text: str) -> None:
        told.append(text)
        label.setText(text)
        widget.update()

    install(show)
    widget.show()
    for _ in range(20):
        widget.repaint()
        qapp.processEvents()

    assert len(told) == 1
    assert "ZeroDivisionError" in told[0]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_errors_at_different_places_are_all_told(install: Callable[[Show], None]) -> None:
    told: list[str] = []
    install(told.append)
    for error in (KeyError(), ValueError(), KeyError()):
        _fail(error)
    assert ["KeyError" in text for text in told] == [True, False]


def test_an_error_in_showing_an_error_is_only_logged(
    install: Callable[[Show], None], caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        _fail(ValueError("while it is shown"))

    install(show)
    _fail(KeyError("the first"))
    assert len(shown) == 1
    assert "while it is shown" in caplog.text


def test_an_error_in_another_thread_is_only_logged(
    install: Callable[[Show], None], caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    install(shown.append)
    thread = threading.Thread(target=_fail, args=(ValueError("in a thread"),))
    thread.start()
    thread.join()
    assert not shown
    assert "in a thread" in caplog.text
