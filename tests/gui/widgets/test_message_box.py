"""Message boxes: keys, texts, and only one at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.message_box import Answer, MessageBox

EXEC = QDialog.exec
"""The original, which the fixture against unexpected dialogs replaces."""

ANSWERS = (
    Answer("discard", "&Don’t save", on_left=True),
    Answer("cancel", "&Cancel", escape=True),
    Answer("save", "&Save", default=True, primary=True),
)


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> QWidget:
    monkeypatch.setattr(MessageBox, "exec", EXEC)
    window = QWidget()
    qtbot.addWidget(window)
    field = QLineEdit(window)
    with qtbot.waitActive(window):
        window.show()
    field.setFocus()
    return window


def make(
    window: QWidget, text: str = "Save the changes?", details: str = "They are lost otherwise."
) -> MessageBox:
    return MessageBox(window, "Unsaved changes", text, details, icon="save", answers=ANSWERS)


def asked(box: MessageBox, act: Callable[[], object]) -> str:
    """The answer of the box if `act` is called while it is open."""

    def when_active() -> None:
        if QApplication.activeWindow() is not box:
            QTimer.singleShot(5, box, when_active)
            return
        try:
            act()
        except Exception:
            box.reject()
            raise

    QTimer.singleShot(0, box, when_active)
    return box.ask()


@pytest.mark.parametrize(
    ("key", "modifiers", "answer"),
    [
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "save"),
        (Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, "save"),
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier, "cancel"),
        (Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier, "discard"),
        (Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier, "cancel"),
    ],
)
def test_it_can_be_answered_by_keyboard(
    qtbot: QtBot, window: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier, answer: str
) -> None:
    box = make(window)
    assert asked(box, lambda: qtbot.keyClick(QApplication.focusWidget(), key, modifiers)) == answer


def test_tab_goes_through_the_answers_from_left_to_right(qtbot: QtBot, window: QWidget) -> None:
    box = make(window)
    seen: list[str] = []

    def walk() -> None:
        for _ in range(3):
            seen.append(QApplication.focusWidget().objectName())
            qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        box.reject()

    asked(box, walk)
    assert seen == ["answerSave", "answerDiscard", "answerCancel"]


@pytest.mark.parametrize("name", ["discard", "cancel", "save"])
def test_a_click_chooses_the_answer_of_its_button(qtbot: QtBot, window: QWidget, name: str) -> None:
    box = make(window)
    assert asked(box, lambda: qtbot.mouseClick(box.buttons[name], Qt.MouseButton.LeftButton)) == name


def test_closing_the_box_chooses_the_answer_of_escape(window: QWidget) -> None:
    box = make(window)
    assert asked(box, box.close) == "cancel"


def test_only_one_box_is_open_at_a_time(window: QWidget) -> None:
    first, second = make(window), make(window)
    answers: list[str] = []

    def ask_again() -> None:
        answers.append(second.ask())
        make(window).show_message()
        assert [box for box in window.findChildren(MessageBox) if box.isVisible()] == [first]
        first.buttons["save"].click()

    assert asked(first, ask_again) == "save"
    assert answers == ["cancel"]


def test_an_information_box_is_deleted_when_closed(qtbot: QtBot, window: QWidget) -> None:
    box = MessageBox(
        window, "About", "A program", answers=(Answer("close", "&Close", default=True, escape=True),)
    )
    box.show_message()
    qtbot.waitUntil(box.isActiveWindow)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert window.findChildren(MessageBox) == []


def test_names_from_files_are_shown_as_plain_text_of_bounded_length(window: QWidget) -> None:
    name = "<b>bold</b>" + 5000 * "x"
    box = make(window, f"Save the changes to “{name}”?")
    labels = [label for label in box.findChildren(QLabel) if label.text()]
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
    box.adjustSize()
    assert box.width() < 520
    assert box.height() < 700
    box.deleteLater()


def test_screen_readers_get_the_text_without_word_breaks(window: QWidget) -> None:
    box = make(window, f"Save the changes to “{40 * 'x'}”?")
    assert box.accessibleName() == "Unsaved changes"
    assert box.accessibleDescription() == f"Save the changes to “{40 * 'x'}”? They are lost otherwise."
    box.deleteLater()


def test_the_icon_follows_the_theme(window: QWidget) -> None:
    box = make(window)
    icon = next(label for label in box.findChildren(QLabel) if not label.pixmap().isNull())
    before = icon.pixmap().cacheKey()
    theme().set_scheme("dark")
    assert icon.pixmap().cacheKey() != before
    theme().set_scheme("light")
    box.deleteLater()
