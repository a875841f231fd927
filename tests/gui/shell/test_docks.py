"""The panels around the list: which stand behind which, and what happens when they come to the front."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QPushButton, QTabBar, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.docks import Dock, arrange


class Content(QWidget):
    """Two fields; counts how many there ever were of its kind."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        column = QVBoxLayout(self)
        self.button, self.field = QPushButton("Off"), QLineEdit()
        self.button.setEnabled(False)
        column.addWidget(self.button)
        column.addWidget(self.field)


@pytest.fixture
def docks(qtbot: QtBot) -> Iterator[list[Dock]]:
    """Two panels, each with another one behind it."""
    Content.made = 0
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(QWidget())
    window.resize(900, 600)
    sides = Qt.DockWidgetArea
    first = Dock(window, "firstDock", "First", Content(), sides.RightDockWidgetArea)
    second = Dock(window, "secondDock", "Second", Content, first)
    third = Dock(window, "thirdDock", "Third", Content(), sides.BottomDockWidgetArea)
    fourth = Dock(window, "fourthDock", "Fourth", Content, third)
    with qtbot.waitActive(window):
        window.show()
    made = [first, second, third, fourth]
    arrange(window, made)
    yield made
    window.close()


def bars(docks: list[Dock]) -> list[list[str]]:
    """The tabs of each bar that can be seen."""
    window = docks[0].parent()
    return sorted(
        [bar.tabText(number) for number in range(bar.count())]
        for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if bar.isVisible() and window.rect().intersects(bar.geometry())
    )


def in_front(docks: list[Dock]) -> list[bool]:
    return [dock.action.isChecked() for dock in docks]


def test_panels_that_share_a_place_have_one_tab_bar(qtbot: QtBot, docks: list[Dock]) -> None:
    qtbot.waitUntil(lambda: bars(docks) == [["First", "Second"], ["Third", "Fourth"]])
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])


def test_what_nobody_has_seen_is_not_made(qtbot: QtBot, docks: list[Dock]) -> None:
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
    assert Content.made == 2
    docks[1].action.trigger()
    assert Content.made == 3
    docks[0].action.trigger()
    docks[1].action.trigger()
    assert Content.made == 3


def test_its_action_brings_a_panel_to_the_front_with_the_focus(qtbot: QtBot, docks: list[Dock]) -> None:
    docks[1].action.trigger()
    qtbot.waitUntil(lambda: in_front(docks) == [False, True, True, False])
    assert docks[1].content.field.hasFocus()


def test_what_is_behind_is_not_visible_and_does_no_work(qtbot: QtBot, docks: list[Dock]) -> None:
    docks[1].action.trigger()
    qtbot.waitUntil(lambda: not docks[0].content.isVisible())
    assert docks[1].content.isVisible()
    docks[0].action.trigger()
    qtbot.waitUntil(lambda: docks[0].content.isVisible() and not docks[1].content.isVisible())


def test_the_action_of_a_panel_in_front_closes_it(qtbot: QtBot, docks: list[Dock]) -> None:
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
    docks[2].action.trigger()
    assert docks[2].isHidden()
    assert not docks[2].action.isChecked()
    docks[2].action.trigger()
    assert not docks[2].isHidden()


def scattered(docks: list[Dock]) -> None:
    docks[0].close()
    docks[1].setFloating(True)
    docks[2].parent().addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks[3])


def moved(docks: list[Dock]) -> None:
    others_in_front(docks)
    docks[0].close()
    docks[0].parent().addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks[1])


def others_in_front(docks: list[Dock]) -> None:
    docks[3].action.trigger()
    docks[1].action.trigger()


def resized(docks: list[Dock]) -> None:
    others_in_front(docks)
    docks[0].close()
    docks[0].parent().resizeDocks([docks[3]], [320], Qt.Orientation.Vertical)


@pytest.mark.parametrize("mess", [scattered, moved, others_in_front, resized])
def test_all_go_back_to_where_they_first_stood(
    qtbot: QtBot, docks: list[Dock], mess: Callable[[list[Dock]], None]
) -> None:
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
    mess(docks)
    QApplication.processEvents()
    arrange(docks[0].parent(), docks)
    qtbot.waitUntil(lambda: bars(docks) == [["First", "Second"], ["Third", "Fourth"]])
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
