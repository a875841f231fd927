"""Boxes that ask for a number: keys, the range, and what happens while the typed text is not valid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.number_box import NumberBox

EXEC = QDialog.exec
"""The real function: the tests replace it, so that unexpected dialogs fail instead of waiting."""


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> QWidget:
    monkeypatch.setattr(NumberBox, "exec", EXEC)
    window = QWidget()
    qtbot.addWidget(window)
    QLineEdit(window)
    with qtbot.waitActive(window):
        window.show()
    return window


@pytest.fixture
def box(window: QWidget) -> NumberBox:
    return NumberBox(
        window,
        "Resume run",
        "Train this run for more epochs?",
        "It has completed 8 epochs.",
        label="Epochs to add",
        value=5,
        minimum=1,
        maximum=10_000,
        button="&Resume",
        icon="train",
    )


def asked(box: NumberBox, act: Callable[[], object]) -> int | None:
    """The result of the box, while which is open `act` is called once."""

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
    return box.ask_number()


def press(qtbot: QtBot, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.keyClick(QApplication.focusWidget(), key, modifiers)


def test_the_number_is_selected_so_that_typing_replaces_it_and_enter_accepts(
    qtbot: QtBot, box: NumberBox
) -> None:
    def act() -> None:
        assert box.field.hasFocus()
        qtbot.keyClicks(QApplication.focusWidget(), "12")
        press(qtbot, Qt.Key.Key_Return)

    assert asked(box, act) == 12


def test_enter_alone_accepts_the_suggested_number(qtbot: QtBot, box: NumberBox) -> None:
    assert asked(box, lambda: press(qtbot, Qt.Key.Key_Return)) == 5


def test_arrow_keys_change_the_number(qtbot: QtBot, box: NumberBox) -> None:
    def act() -> None:
        press(qtbot, Qt.Key.Key_Up)
        qtbot.mouseClick(box.buttons["accept"], Qt.MouseButton.LeftButton)

    assert asked(box, act) == 6


def test_escape_and_cancel_give_no_number(qtbot: QtBot, box: NumberBox) -> None:
    assert asked(box, lambda: press(qtbot, Qt.Key.Key_Escape)) is None


def test_the_cancel_button_gives_no_number(qtbot: QtBot, box: NumberBox) -> None:
    cancel = box.buttons["cancel"]
    assert asked(box, lambda: qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)) is None


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [("0", 1, "At least 1."), ("10001", 10_000, "At most 10,000."), ("five", 5, "Must be an integer")],
)
def test_an_invalid_number_is_explained_and_cannot_be_accepted(
    qtbot: QtBot, box: NumberBox, text: str, value: int, note: str
) -> None:
    error = box.findChild(QLabel, "numberError")
    assert isinstance(error, QLabel)

    def act() -> None:
        qtbot.keyClicks(QApplication.focusWidget(), text)
        assert error.isVisible()
        assert "1" in error.text()
        assert "10,000" in error.text()
        assert not box.buttons["accept"].isEnabled()
        # The first Enter only puts a valid number there; the user sees it, and why, before accepting it.
        press(qtbot, Qt.Key.Key_Return)
        assert box.isVisible()
        qtbot.waitUntil(box.buttons["accept"].isEnabled)
        qtbot.waitUntil(lambda: error.text().startswith(note))
        assert box.field.value() == value
        press(qtbot, Qt.Key.Key_Escape)

    assert asked(box, act) is None


def test_the_field_is_labeled_for_the_eye_the_keyboard_and_screen_readers(
    qtbot: QtBot, box: NumberBox
) -> None:
    assert box.field.accessibleName() == "Epochs to add"
    caption = next(label for label in box.findChildren(QLabel) if label.text() == "Epochs to add")
    assert caption.buddy() is box.field
    assert (box.field.minimum(), box.field.maximum()) == (1, 10_000)
    assert [button.text() for button in box.buttons.values()] == ["&Cancel", "&Resume"]
    box.deleteLater()
