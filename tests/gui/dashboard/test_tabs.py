"""Tabs that show as many views as fit."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.tabs import TabButton, ViewTabs


@pytest.fixture
def tabs(qtbot: QtBot) -> ViewTabs:
    widget = ViewTabs((("One", "tabOne"), ("Two", "tabTwo"), ("Three", "tabThree")))
    qtbot.addWidget(widget)
    widget.show()
    return widget


def click(tabs: ViewTabs, qtbot: QtBot, name: str) -> None:
    qtbot.mouseClick(tabs.findChild(TabButton, name), Qt.MouseButton.LeftButton)


def test_if_one_fits_a_click_switches_to_it(tabs: ViewTabs, qtbot: QtBot) -> None:
    assert tabs.shown == (0,)

    click(tabs, qtbot, "tabThree")

    assert tabs.shown == (2,)
    assert tabs.findChild(TabButton, "tabThree").isChecked()
    assert not tabs.findChild(TabButton, "tabOne").isChecked()


def test_if_two_fit_the_last_two_chosen_are_shown(tabs: ViewTabs, qtbot: QtBot) -> None:
    tabs.set_capacity(2)
    assert tabs.shown == (0, 1)

    click(tabs, qtbot, "tabThree")

    assert tabs.shown == (0, 2)


def test_a_click_on_a_shown_tab_maximizes_it_and_another_click_restores_the_others(
    tabs: ViewTabs, qtbot: QtBot
) -> None:
    tabs.set_capacity(2)

    click(tabs, qtbot, "tabTwo")
    assert tabs.shown == (1,)

    click(tabs, qtbot, "tabOne")
    assert tabs.shown == (0, 1)


def test_the_keyboard_reaches_every_tab(tabs: ViewTabs, qtbot: QtBot) -> None:
    tabs.findChild(TabButton, "tabOne").setFocus()

    qtbot.keyClick(tabs.findChild(TabButton, "tabOne"), Qt.Key.Key_Right)
    qtbot.keyClick(tabs.findChild(TabButton, "tabTwo"), Qt.Key.Key_Space)

    assert tabs.shown == (1,)
