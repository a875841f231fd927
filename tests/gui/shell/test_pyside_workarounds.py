"""The process survives what PySide6 does on Python 3.11: references that it never counted, and exceptions."""

from __future__ import annotations

import inspect
import subprocess
import sys
from itertools import pairwise
from typing import ClassVar

from PySide6.QtWidgets import QApplication, QPushButton, QWidget

import cnnstudio.gui  # noqa: F401  # for its side effect, before the first class of these tests

_MANY_CALLS = """
import cnnstudio.gui
from PySide6.QtCore import QObject, Signal

class Sender(QObject):
    sent = Signal(object)

sender = Sender()
sender.sent.connect(lambda value: None)
for number in range(60_000):
    sender.setObjectName("name")
    sender.sent.emit(number)
print("alive")
"""


def test_a_long_session_does_not_exhaust_the_reference_count_of_none() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _MANY_CALLS], capture_output=True, text=True, timeout=240
    )

    assert finished.stdout == "alive\n", finished.stderr[-500:]
    assert finished.returncode == 0


_EXCEPTIONS_IN_OVERRIDES = """
import sys
import cnnstudio.gui
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt
from PySide6.QtWidgets import QApplication, QLabel, QListView, QWidget
from shiboken6 import Shiboken
from cnnstudio.gui.shell.excepthook import install_excepthook

app = QApplication([])
install_excepthook(lambda text: print(text[:40]))

class Painted(QWidget):
    def paintEvent(self, event):
        1 / 0

class Filter(QObject):
    def eventFilter(self, watched, event):
        label = QLabel()
        Shiboken.delete(label)
        return label.isVisible()

class Model(QAbstractListModel):
    def rowCount(self, parent=QModelIndex()):
        return 1
    def data(self, index, role=Qt.ItemDataRole.DisplayRole):
        return {}[role]

def during(name, *actions):
    try:
        for action in actions:
            action()
    except Exception:
        # It goes on to whoever called Qt, if that was Python.
        sys.excepthook(*sys.exc_info())
    print(name)

widget, list_view, model = Painted(), QListView(), Model()
watched, filtering = QLabel("x"), Filter()
during("painting", widget.show, app.processEvents)
during("listing", lambda: list_view.setModel(model), list_view.show, app.processEvents)
watched.installEventFilter(filtering)
during("filtering", watched.show, app.processEvents)
sys.stdout.flush()
"""


def test_an_exception_in_a_method_that_qt_calls_ends_in_the_message_for_errors_and_not_the_process() -> None:
    command = [sys.executable, "-c", _EXCEPTIONS_IN_OVERRIDES]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240)

    assert finished.returncode == 0, finished.stderr[-500:]
    lines = finished.stdout.splitlines()
    places = [-1, *map(lines.index, ("painting", "listing", "filtering"))]
    told = [set(lines[before + 1 : after]) for before, after in pairwise(places)]
    errors = ("ZeroDivisionError", "KeyError", "RuntimeError")
    assert told == [{f"Unexpected error ({error}). Your design is safe"[:40]} for error in errors]


class _Closed(QWidget):
    closings: ClassVar[list[object]] = []

    def close(self, *, reason: str = "none") -> bool:
        """Takes no argument of a signal."""
        self.closings.append(reason)
        return super().close()

    def resize(self, width: int, height: int = 7) -> None:  # type: ignore[override]  # a simpler one
        super().resize(width, height)


def test_methods_that_replace_those_of_qt_keep_their_parameters_and_names(qapp: QApplication) -> None:
    widget, button = _Closed(), QPushButton()
    button.clicked.connect(widget.close)
    button.click()
    widget.close(reason="done")
    assert widget.closings == ["none", "done"]
    widget.resize(height=90, width=80)
    assert (widget.width(), widget.height()) == (80, 90)
    widget.resize(80)
    assert widget.height() == 7
    assert _Closed.close.__qualname__ == "_Closed.close"
    assert _Closed.close.__doc__ == "Takes no argument of a signal."
    assert str(inspect.signature(_Closed.resize)) == "(self, width: 'int', height: 'int' = 7) -> 'None'"
