"""Areas that scroll what is larger than their place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.scroll_area import scroll_area


def is_reached_by_tab(qtbot: QtBot, area: QScrollArea) -> bool:
    window, before, after = QWidget(), QLineEdit(), QLineEdit()
    row = QHBoxLayout(window)
    for each in (before, area, after):
        row.addWidget(each)
    area.setFixedSize(100, 100)
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    before.setFocus()
    qtbot.waitUntil(before.hasFocus)
    QTest.keyClick(before, Qt.Key.Key_Tab)
    return QApplication.focusWidget() is area


def content(size: QSize) -> QWidget:
    found = QWidget()
    found.setMinimumSize(size)
    return found


@pytest.mark.parametrize(
    ("size", "options", "stops"),
    [
        (QSize(50, 50), {}, False),
        (QSize(50, 300), {}, True),
        (QSize(50, 300), {"by_keys": False}, False),
        (QSize(300, 50), {"sideways": True}, True),
        (QSize(50, 50), {"sideways": True}, False),
    ],
)
def test_tab_stops_only_where_keys_scroll_something(
    size: QSize, options: dict[str, bool], stops: bool, qtbot: QtBot
) -> None:
    assert is_reached_by_tab(qtbot, scroll_area(content(size), **options)) == stops
