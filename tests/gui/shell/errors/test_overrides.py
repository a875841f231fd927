"""What is raised in a method that Qt calls is reported once, and Qt and everything else go on."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QIdentityProxyModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    QThread,
)
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

import cnnstudio.gui  # noqa: F401  # for its side effect, before the first class of these tests


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The exceptions that were reported."""
    found: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: found.append(error))
    return found


class _Failing(QWidget):
    def sizeHint(self) -> QSize:
        raise KeyError

    def resizeEvent(self, event: QResizeEvent) -> None:
        raise ZeroDivisionError

    def showEvent(self, event: QEvent) -> None:
        raise ValueError


class _Counting(QWidget):
    resized = 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.resized += 1


def test_an_exception_is_reported_where_it_is_raised_and_not_to_whoever_called_qt(
    qapp: QApplication, told: list[BaseException]
) -> None:
    widget = _Failing()
    widget.show()

    assert {type(error) for error in told} == {KeyError, ZeroDivisionError, ValueError}
    assert widget.isVisible()


def test_other_methods_that_qt_calls_meanwhile_and_later_are_not_affected(
    qapp: QApplication, told: list[BaseException]
) -> None:
    class Outer(QWidget):
        def hideEvent(self, event: QEvent) -> None:
            # Before those of the widgets in it.
            raise ZeroDivisionError

    class Inner(QWidget):
        hidden = 0

        def hideEvent(self, event: QEvent) -> None:
            self.hidden += 1

    outer = Outer()
    inner = Inner(outer)
    for _ in range(2):
        outer.show()
        outer.hide()

    assert inner.hidden == 2
    assert {type(error) for error in told} == {ZeroDivisionError}


def test_qt_gets_an_empty_answer_of_the_type_in_the_annotation(
    qapp: QApplication, told: list[BaseException]
) -> None:
    class Filter(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            raise ZeroDivisionError

    # PySide6 warns of an answer of another type, and warnings are errors in these tests.
    widget, event_filter = _Counting(), Filter()
    widget.installEventFilter(event_filter)
    widget.resize(60, 60)
    widget.show()
    widget.removeEventFilter(event_filter)

    assert widget.resized
    assert {type(error) for error in told} == {ZeroDivisionError}


def test_an_item_that_fails_has_no_value_in_any_role(qapp: QApplication, told: list[BaseException]) -> None:
    class Model(QAbstractListModel):
        def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
            return 1

        def data(self, index: QModelIndex | QPersistentModelIndex, role: int = 0) -> object:
            raise ZeroDivisionError

    model = Model()
    # Asks as Qt does.
    proxy = QIdentityProxyModel()
    proxy.setSourceModel(model)

    assert proxy.data(proxy.index(0, 0), Qt.ItemDataRole.CheckStateRole) is None
    assert {type(error) for error in told} == {ZeroDivisionError}


def test_a_painter_that_an_exception_left_open_does_not_keep_the_widget_from_being_painted(
    qapp: QApplication, told: list[BaseException]
) -> None:
    class Painted(QWidget):
        outcomes: ClassVar[list[bool]] = []

        def paintEvent(self, event: QPaintEvent) -> None:
            painter = QPainter()
            self.outcomes.append(painter.begin(self))
            if len(self.outcomes) == 1:
                raise ZeroDivisionError

    widget = Painted()
    widget.resize(20, 20)
    widget.grab()
    widget.grab()

    assert Painted.outcomes == [True, True]
    assert len(told) == 1


def test_methods_of_a_class_without_qt_in_front_of_one_of_qt_are_included(
    qapp: QApplication, told: list[BaseException]
) -> None:
    class Mixin:
        def resizeEvent(self, event: QResizeEvent) -> None:
            super().resizeEvent(event)  # type: ignore[misc]  # of the widget
            raise ZeroDivisionError

    class Mixed(Mixin, _Counting):
        pass

    widget = Mixed()
    widget.show()

    assert widget.resized
    assert {type(error) for error in told} == {ZeroDivisionError}


def test_python_code_that_calls_a_method_gets_its_exception(
    qapp: QApplication, told: list[BaseException]
) -> None:
    with pytest.raises(KeyError):
        _Failing().sizeHint()
    assert not told


@pytest.mark.parametrize("calls", [1, 2])
def test_a_method_that_qt_calls_within_itself_without_an_end_is_stopped_and_reported_once(
    qapp: QApplication, told: list[BaseException], calls: int
) -> None:
    class Growing(QWidget):
        grown = 0

        def resizeEvent(self, event: QResizeEvent) -> None:
            Growing.grown += 1
            for _ in range(calls):
                self.resize(self.width() + 1, 20)

    widget = Growing()
    widget.show()
    widget.resize(30, 30)
    grown = Growing.grown
    assert [type(error) for error in told] == [RecursionError]
    assert "Growing.resizeEvent" in str(told[0])
    assert grown < 60 * calls

    widget.resize(5, 5)
    assert Growing.grown > grown


def test_calls_in_other_threads_are_not_within_those_of_the_main_thread(
    qapp: QApplication, told: list[BaseException]
) -> None:
    class Thread(QThread):
        def __init__(self) -> None:
            super().__init__()
            self.has_begun, self.may_end = threading.Event(), threading.Event()

        def run(self) -> None:
            self.has_begun.set()
            self.may_end.wait(60)

    class Starting(QWidget):
        thread_of_it: Thread

        def showEvent(self, event: QEvent) -> None:
            self.thread_of_it = Thread()
            self.thread_of_it.start()
            assert self.thread_of_it.has_begun.wait(60)

    for _ in range(60):
        widget = Starting()
        widget.show()
        widget.thread_of_it.may_end.set()
        assert widget.thread_of_it.wait(60_000)

    assert not told


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


_EVERYTHING_FAILS = """
import sys
import cnnstudio.gui
import pyqtgraph
from PySide6.QtCore import *
from PySide6.QtGui import *
from PySide6.QtWidgets import *
from PySide6.QtTest import QTest
from shiboken6 import Shiboken
from cnnstudio.gui.shell.errors.excepthook import install_excepthook

app = QApplication([])
told = []
install_excepthook(told.append)

def fail(*arguments):
    label = QLabel()
    Shiboken.delete(label)
    return label.isVisible()

def class_with(base, *names):
    body = "(self, *arguments):\\n    reached.add('{0}'); fail()\\n"
    source = "".join(("def {0}" + body).format(name) for name in names)
    namespace = {}
    exec(source, {"fail": fail, "reached": reached}, namespace)
    return type(base.__name__ + "Failing", (base,), namespace)

reached = set()
EVENTS = ("close", "hide", "keyPress", "mousePress", "mouseRelease", "paint", "resize", "show", "timer")
METHODS = (*(f"{event}Event" for event in EVENTS), "sizeHint", "minimumSizeHint")
widget = class_with(QWidget, *METHODS)()
beside = class_with(QWidget, "event")()
outer = QWidget()
layout = QVBoxLayout(outer)
layout.addWidget(widget)
layout.addWidget(beside)
watching = class_with(QObject, "eventFilter")()
widget.installEventFilter(watching)
widget.startTimer(1)
widget.setFixedSize(30, 30)
outer.show()
QTest.qWait(20)
QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
QTest.keyClick(widget, "a")
widget.removeEventFilter(watching)
QTest.qWait(20)
QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
QTest.keyClick(widget, "a")
widget.repaint()
outer.close()
alone = class_with(QWidget, "closeEvent", "hideEvent")()
alone.show()
alone.close()

table, proxy = QTableView(), class_with(QSortFilterProxyModel, "lessThan")()
model = class_with(QStandardItemModel, "data", "headerData", "flags")(3, 3)
empty = class_with(QStandardItemModel, "rowCount", "columnCount")(3, 3)
filtered = class_with(QSortFilterProxyModel, "filterAcceptsRow")()
for each in (proxy, filtered):
    each.setSourceModel(QStandardItemModel(3, 3))
table.setItemDelegate(class_with(QStyledItemDelegate, "paint", "sizeHint", "createEditor")(table))
table.show()
for each in (model, empty, filtered, proxy, QStandardItemModel(3, 3)):
    table.setModel(each)
    QTest.qWait(5)
    table.resizeColumnsToContents()
proxy.sort(0, Qt.SortOrder.DescendingOrder)
table.edit(table.model().index(0, 0))
table.close()
listed = QListView()
listed.setModel(model)
listed.show()
QTest.qWait(5)
listed.close()

thread, runnable = class_with(QThread, "run")(), class_with(QRunnable, "run")()
thread.start()
thread.wait()
QThreadPool.globalInstance().start(runnable)
QThreadPool.globalInstance().waitForDone()

plot = pyqtgraph.PlotWidget(viewBox=class_with(pyqtgraph.ViewBox, "resizeEvent", "hoverEvent")())
plot.addItem(class_with(pyqtgraph.PlotDataItem, "boundingRect", "paint")([1, 2], [3, 4]))
plot.show()
QTest.qWait(20)
plot.close()

missing = {*METHODS, "eventFilter", "event", "data", "flags", "headerData", "rowCount", "lessThan",
           "filterAcceptsRow", "paint", "createEditor", "boundingRect", "run"} - reached
print(missing or "all were called", set(told) and {text.split(".")[0] for text in told})
"""


def test_the_process_survives_an_exception_in_any_kind_of_method() -> None:
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", _EVERYTHING_FAILS]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240)

    assert finished.returncode == 0, finished.stderr[-2000:]
    assert finished.stdout == "all were called {'Unexpected error (RuntimeError)'}\n", finished.stderr[-2000:]


_AT_THE_END_OF_THE_STACK = """
import cnnstudio.gui
from PySide6.QtWidgets import QApplication, QWidget

class Counting(QWidget):
    resized = 0

    def resizeEvent(self, event):
        self.resized += 1

app = QApplication([])
widget = Counting()
widget.show()

def call(number):
    widget.resize(number % 7 + 20, 20)
    call(number + 1)

try:
    call(0)
except RecursionError:
    before = widget.resized
    widget.resize(200, 200)
    print(widget.resized - before)
"""


def test_code_that_calls_qt_at_the_end_of_the_stack_gets_its_recursion_error() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", _AT_THE_END_OF_THE_STACK]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert (finished.returncode, finished.stdout) == (0, "1\n"), finished.stderr[-2000:]


def test_every_class_of_the_program_and_of_pyqtgraph_is_guarded() -> None:
    import pyqtgraph

    from cnnstudio.gui.shell.errors.overrides import Override
    from cnnstudio.gui.shell.main_window import MainWindow

    methods: list[Any] = [vars(MainWindow)["closeEvent"], vars(pyqtgraph.ViewBox)["resizeEvent"]]
    assert all(isinstance(method, Override) for method in methods)
