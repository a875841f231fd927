"""The panels around the layer list: tabs, lazy content, and what happens when they come to the front."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QPushButton, QTabBar, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.docks import Dock, arrange_docks


class Content(QWidget):
    """A disabled button and a field; counts the instances created."""

    created = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).created += 1
        column = QVBoxLayout(self)
        self.button, self.field = QPushButton("Off"), QLineEdit()
        self.button.setEnabled(False)
        column.addWidget(self.button)
        column.addWidget(self.field)


@pytest.fixture
def docks(qtbot: QtBot) -> Iterator[list[Dock]]:
    """Two panels, each with another one behind it as a tab."""
    Content.created = 0
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
    docks = [first, second, third, fourth]
    arrange_docks(window, docks)
    yield docks
    window.close()


def bars(docks: list[Dock]) -> list[list[str]]:
    """The tab texts of each visible tab bar."""
    window = docks[0].parent()
    return sorted(
        [bar.tabText(number) for number in range(bar.count())]
        for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if bar.isVisible() and window.rect().intersects(bar.geometry())
    )


def in_front(docks: list[Dock]) -> list[bool]:
    return [dock.action.isChecked() for dock in docks]


def test_panels_that_share_an_area_have_one_tab_bar(qtbot: QtBot, docks: list[Dock]) -> None:
    qtbot.waitUntil(lambda: bars(docks) == [["First", "Second"], ["Third", "Fourth"]])
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])


def test_content_is_created_when_first_shown(qtbot: QtBot, docks: list[Dock]) -> None:
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
    assert Content.created == 2
    docks[1].action.trigger()
    assert Content.created == 3
    docks[0].action.trigger()
    docks[1].action.trigger()
    assert Content.created == 3


def test_the_action_brings_a_panel_to_the_front_and_focuses_it(qtbot: QtBot, docks: list[Dock]) -> None:
    docks[1].action.trigger()
    qtbot.waitUntil(lambda: in_front(docks) == [False, True, True, False])
    assert docks[1].content.field.hasFocus()


def test_content_behind_another_tab_is_not_visible(qtbot: QtBot, docks: list[Dock]) -> None:
    docks[1].action.trigger()
    qtbot.waitUntil(lambda: not docks[0].content.isVisible())
    assert docks[1].content.isVisible()
    docks[0].action.trigger()
    qtbot.waitUntil(lambda: docks[0].content.isVisible() and not docks[1].content.isVisible())


def test_the_action_closes_a_panel_that_is_in_front(qtbot: QtBot, docks: list[Dock]) -> None:
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


@pytest.mark.parametrize("disarrange", [scattered, moved, others_in_front, resized])
def test_arrange_restores_the_default_locations(
    qtbot: QtBot, docks: list[Dock], disarrange: Callable[[list[Dock]], None]
) -> None:
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
    disarrange(docks)
    QApplication.processEvents()
    arrange_docks(docks[0].parent(), docks)
    qtbot.waitUntil(lambda: bars(docks) == [["First", "Second"], ["Third", "Fourth"]])
    qtbot.waitUntil(lambda: in_front(docks) == [True, False, True, False])
