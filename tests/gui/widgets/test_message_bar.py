"""The bar above the list: what it says, and the keys while it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.message_bar import NoticeBar


@pytest.fixture
def parts(qtbot: QtBot) -> Iterator[tuple[NoticeBar, QLineEdit]]:
    """A notice bar over a field that has the keys."""
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    bar, field = NoticeBar(), QLineEdit()
    column.addWidget(bar)
    column.addWidget(field)
    with qtbot.waitActive(window):
        window.show()
    field.setFocus()
    yield bar, field
    window.close()


def test_a_question_takes_the_keys_until_it_is_answered(
    qtbot: QtBot, parts: tuple[NoticeBar, QLineEdit]
) -> None:
    bar, field = parts
    done: list[bool] = []
    bar.ask("Do you want all of them?", "Paste them", lambda: done.append(True))
    button = bar.findChild(QPushButton, "noticeButton")
    assert button.hasFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert done == [True]
    assert bar.text == ""
    assert field.hasFocus()


def test_escape_leaves_a_question_unanswered(qtbot: QtBot, parts: tuple[NoticeBar, QLineEdit]) -> None:
    bar, field = parts
    done: list[bool] = []
    bar.ask("Do you want all of them?", "Paste them", lambda: done.append(True))
    qtbot.keyClick(bar.findChild(QPushButton, "noticeButton"), Qt.Key.Key_Escape)
    assert (done, bar.text) == ([], "")
    assert field.hasFocus()


def test_a_sentence_leaves_the_keys_where_they_are(parts: tuple[NoticeBar, QLineEdit]) -> None:
    bar, field = parts
    bar.show_sentence("This is how it is.")
    assert field.hasFocus()
    assert bar.text == "This is how it is."
