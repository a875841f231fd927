"""The buttons of the training toolbar and the focus."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.training.controls import ActionButton


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    """A field, a button that can be pressed once, and another button."""
    window = QWidget()
    qtbot.addWidget(window)
    row = QHBoxLayout(window)
    first, second = QAction("Train", window), QAction("Stop", window)
    first.triggered.connect(lambda: first.setEnabled(False))
    for part in (QLineEdit(), ActionButton(first, primary=True), ActionButton(second)):
        row.addWidget(part)
    with qtbot.waitActive(window):
        window.show()
    return window


def test_a_click_leaves_the_focus_where_it_was(window: QWidget, qtbot: QtBot) -> None:
    field, train = window.findChild(QLineEdit), window.findChild(ActionButton)
    field.setFocus()
    qtbot.mouseClick(train, Qt.MouseButton.LeftButton)
    assert not train.isEnabled()
    assert field.hasFocus()


def test_a_key_that_disables_the_button_does_not_lead_to_the_next_one(window: QWidget, qtbot: QtBot) -> None:
    train, stop = window.findChildren(ActionButton)
    train.setFocus()
    qtbot.keyClick(train, Qt.Key.Key_Space)
    assert not train.isEnabled()
    assert not stop.hasFocus()
    assert QApplication.focusWidget() is not stop
