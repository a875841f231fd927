"""Tabs, by mouse and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.tab_buttons import TabButton, TabButtons


@pytest.fixture
def tabs(qtbot: QtBot) -> TabButtons:
    widget = TabButtons((("One", "tabOne"), ("Two", "tabTwo"), ("Three", "tabThree")))
    qtbot.addWidget(widget)
    widget.show()
    return widget


def button(tabs: TabButtons, name: str) -> TabButton:
    found = tabs.findChild(TabButton, name)
    assert isinstance(found, TabButton)
    return found


def test_a_click_chooses_a_tab(tabs: TabButtons, qtbot: QtBot) -> None:
    seen: list[object] = []
    tabs.chosen.connect(seen.append)

    qtbot.mouseClick(button(tabs, "tabThree"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(tabs, "tabThree"), Qt.MouseButton.LeftButton)

    assert (tabs.number, seen) == (2, [2])
    assert not button(tabs, "tabOne").isChecked()


def test_arrow_keys_choose_the_neighbor(tabs: TabButtons, qtbot: QtBot) -> None:
    button(tabs, "tabOne").setFocus()

    qtbot.keyClick(button(tabs, "tabOne"), Qt.Key.Key_Right)

    assert tabs.number == 1
