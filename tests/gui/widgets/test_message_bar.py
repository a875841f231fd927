"""The message bar: its text, and the focus while it asks a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.message_bar import MessageBar


@pytest.fixture
def parts(qtbot: QtBot) -> Iterator[tuple[MessageBar, QLineEdit]]:
    """A message bar above a field that has the focus."""
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    bar, field = MessageBar(), QLineEdit()
    column.addWidget(bar)
    column.addWidget(field)
    with qtbot.waitActive(window):
        window.show()
    field.setFocus()
    yield bar, field
    window.close()


def test_a_question_takes_the_focus_until_it_is_answered(
    qtbot: QtBot, parts: tuple[MessageBar, QLineEdit]
) -> None:
    bar, field = parts
    done: list[bool] = []
    bar.ask("Do you want all of them?", "Paste them", lambda: done.append(True))
    button = bar.findChild(QPushButton, "messageButton")
    assert button.hasFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert done == [True]
    assert bar.text == ""
    assert field.hasFocus()


def test_escape_dismisses_a_question(qtbot: QtBot, parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, field = parts
    done: list[bool] = []
    bar.ask("Do you want all of them?", "Paste them", lambda: done.append(True))
    qtbot.keyClick(bar.findChild(QPushButton, "messageButton"), Qt.Key.Key_Escape)
    assert (done, bar.text) == ([], "")
    assert field.hasFocus()


def test_a_message_does_not_take_the_focus(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, field = parts
    bar.show_text("The run was resumed.")
    assert field.hasFocus()
    assert bar.text == "The run was resumed."


def test_a_message_is_shown_as_it_is_even_if_it_looks_like_markup(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)

    bar.show_text("Unknown layer <img src='probe.png'><b>hi")

    label = bar.findChild(QLabel, "messageText")
    assert isinstance(label, QLabel)
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert bar.text == "Unknown layer <img src='probe.png'><b>hi"
