"""The message bar: its text, and the focus while it asks a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.message_bar import Message, MessageBar


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


def note(text: str, button: str = "") -> Message:
    return Message(text, button=button, action=(lambda: None) if button else None, is_note=True)


def button_of(bar: MessageBar) -> str:
    """The text of the button; empty if it is hidden."""
    button = bar.findChild(QPushButton, "messageButton")
    assert isinstance(button, QPushButton)
    return "" if button.isHidden() else button.text()


def test_notes_are_shown_together(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    for text in ("One image is skipped.", "Few images.", "One image is skipped."):
        bar.show_message(note(text))
    assert bar.text == "Few images.\nOne image is skipped."
    bar.show_text("Saved.")
    assert bar.text == "Saved."
    bar.show_message(note("Few images."))
    assert bar.text == "Few images."


def test_a_note_leaves_the_button_of_another_message(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    bar.show_text("A plateau.", button="Use a cosine schedule", action=lambda: None)
    bar.show_message(note("Few images."))
    assert (bar.text, button_of(bar)) == ("A plateau.\nFew images.", "Use a cosine schedule")
    bar.withdraw("A plateau.")
    assert (bar.text, button_of(bar)) == ("Few images.", "")
    bar.withdraw("Few images.")
    assert bar.text == ""


def test_a_note_with_a_button_takes_the_place_of_another_button(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    bar.show_text("A plateau.", button="Use a cosine schedule", action=lambda: None)
    bar.show_message(note("The classes differ.", "Balance"))
    assert (bar.text, button_of(bar)) == ("The classes differ.", "Balance")


def test_of_many_notes_the_last_ones_are_shown(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    for number in range(9):
        bar.show_message(note(f"Note {number}."))
    assert bar.text.split("\n") == ["Note 5.", "Note 6.", "Note 7.", "Note 8."]
