"""The message bar: its text, and the focus while it asks a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenuBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets import message_bar
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


def test_after_its_button_the_focus_is_where_it_was(
    qtbot: QtBot, parts: tuple[MessageBar, QLineEdit]
) -> None:
    bar, field = parts
    button = bar.findChild(QPushButton, "messageButton")
    bar.show_text("The run was interrupted.", button="Resume", action=lambda: None)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert field.hasFocus()

    bar.show_text("The run was interrupted.", button="Resume", action=lambda: None)
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert (bar.text, field.hasFocus()) == ("", True)


def test_a_message_goes_with_its_reason(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    problems = ["no layers"]
    bar.show_text("This network cannot be trained yet.", holds=lambda: bool(problems))
    bar.show_message(note("Few images."))
    bar.refresh()
    assert bar.text == "Few images."

    bar.show_text("This network cannot be trained yet.", holds=lambda: bool(problems))
    bar.refresh()
    assert bar.text == "This network cannot be trained yet."
    problems.clear()
    bar.refresh()
    assert bar.text == ""


def test_a_floating_message_moves_nothing_and_stays_inside_its_area(qtbot: QtBot) -> None:
    window, area, bar = QWidget(), QLineEdit(), MessageBar()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.addWidget(area, 1)
    area.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    bar.float_over(area, window)
    window.resize(700, 400)
    with qtbot.waitExposed(window):
        window.show()
    before = area.geometry()
    for text in ("Short.", "Long words on one subject " * 20, "One\nTwo\nThree"):
        bar.show_text(text, button="Do something about it")
        assert area.geometry() == before
        assert area.geometry().contains(bar.geometry())
        label = bar.findChild(QLabel, "messageText")
        assert label.height() >= label.heightForWidth(label.width())
    window.resize(500, 300)
    assert area.geometry().contains(bar.geometry())


def test_a_message_never_covers_a_panel_that_needs_its_keys(qtbot: QtBot) -> None:
    window, area, bar, keys = QWidget(), QWidget(), MessageBar(), QWidget()
    qtbot.addWidget(window)
    column, row = QVBoxLayout(window), QHBoxLayout(area)
    column.addWidget(area, 1)
    row.addWidget(QWidget(), 1)
    row.addWidget(keys)
    keys.setFixedWidth(312)
    keys.hide()
    bar.float_over(area, window)
    bar.keep_clear(keys)
    window.resize(1280, 400)
    with qtbot.waitExposed(window):
        window.show()

    def covers() -> bool:
        return bar.geometry().right() >= keys.mapTo(window, QPoint(0, 0)).x()

    bar.show_text("Long words on one subject " * 20, button="Do something about it")
    middle = bar.geometry().center().x()
    assert abs(middle - window.width() // 2) <= 1
    keys.show()
    qtbot.waitUntil(lambda: not covers())
    for width in (1024, 1600):
        window.resize(width, 400)
        qtbot.waitUntil(lambda: not covers() and bar.width() >= 600)
    keys.hide()
    qtbot.waitUntil(lambda: abs(bar.geometry().center().x() - window.width() // 2) <= 1)


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


def test_what_only_informs_goes_when_it_was_read(
    qtbot: QtBot, parts: tuple[MessageBar, QLineEdit], monkeypatch: pytest.MonkeyPatch
) -> None:
    bar, _ = parts
    monkeypatch.setattr(message_bar, "_READING_MS", 50)
    monkeypatch.setattr(message_bar, "_READING_MS_PER_CHARACTER", 0)
    bar.show_text("The run was resumed.")
    assert bar.text == "The run was resumed."
    qtbot.waitUntil(lambda: not bar.text)


@pytest.mark.parametrize(
    "message",
    [
        Message("The run was stopped.", is_error=True),
        Message("The design was changed.", button="Continue", action=lambda: None),
    ],
)
def test_errors_and_what_asks_for_something_stay(
    message: Message, qtbot: QtBot, parts: tuple[MessageBar, QLineEdit], monkeypatch: pytest.MonkeyPatch
) -> None:
    bar, _ = parts
    monkeypatch.setattr(message_bar, "_READING_MS", 10)
    monkeypatch.setattr(message_bar, "_READING_MS_PER_CHARACTER", 0)
    bar.show_text("The run was resumed.")
    bar.show_message(message)
    qtbot.wait(100)
    assert bar.text == message.text


def test_an_offer_that_is_there_already_is_not_shown_twice(parts: tuple[MessageBar, QLineEdit]) -> None:
    bar, _ = parts
    done: list[int] = []
    bar.show_message(Message("The design has changed.", button="Continue", action=lambda: done.append(1)))
    bar.show_message(Message("A note.", is_note=True))
    bar.show_message(Message("The design has changed.", button="Continue", action=lambda: done.append(2)))
    assert bar.text == "The design has changed.\nA note."
    QTest.mouseClick(bar.findChild(QPushButton, "messageButton"), Qt.MouseButton.LeftButton)
    assert done == [2]
    bar.show_message(Message("The design has changed.", button="Continue", action=lambda: done.append(3)))
    assert bar.text == "The design has changed."


def test_a_list_over_the_page_gives_messages_a_place_of_their_own(qtbot: QtBot) -> None:
    window, area, rows, slot = QWidget(), QWidget(), QLabel("rows"), QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.addWidget(area)
    inside = QVBoxLayout(area)
    rows.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    inside.addWidget(rows)
    inside.addWidget(slot)
    slot.hide()
    bar = MessageBar()
    bar.float_over(area, window)
    window.resize(700, 400)
    with qtbot.waitActive(window):
        window.show()
    bar.show_text("Moving 2 runs to the trash.", button="Undo", action=lambda: None)
    assert bar.geometry().intersects(rows.geometry().translated(area.pos()))
    bar.use_slot(slot)
    assert not bar.geometry().intersects(rows.geometry().translated(area.pos()))
    bar.dismiss()
    assert slot.isHidden()
    bar.show_text("Packed the run.")
    assert not bar.geometry().intersects(rows.geometry().translated(area.pos()))
    bar.use_slot(None)
    assert slot.isHidden()
    QApplication.processEvents()
    assert bar.geometry().intersects(rows.geometry().translated(area.pos()))
    window.close()


def test_what_stays_has_a_place_below_the_page_and_covers_nothing(qtbot: QtBot) -> None:
    window, area, below, bar = QWidget(), QWidget(), QWidget(), MessageBar()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.addWidget(area, 1)
    column.addWidget(below)
    area.setMinimumHeight(200)
    bar.float_over(area, window, below)
    window.resize(700, 400)
    with qtbot.waitActive(window):
        window.show()
    whole = area.geometry()

    def covers() -> bool:
        return bar.isVisible() and bar.geometry().intersects(area.geometry())

    for text in ("Overfitting.", "Long words on one subject " * 8):
        bar.show_text(text, button="Use dropout", action=lambda: None)
        assert not covers()
        assert window.rect().contains(bar.geometry())
        window.resize(500, 400)
        qtbot.waitUntil(lambda: bar.width() <= 500 and not covers())
        window.resize(700, 400)
    bar.show_text("Cannot be read.", is_error=True)
    qtbot.waitUntil(lambda: not covers())
    bar.show_text("Saved.")
    qtbot.waitUntil(lambda: area.geometry() == whole)
    assert covers(), "what goes by itself moves nothing"
    bar.show_text("Overfitting.", button="Use dropout", action=lambda: None)
    bar.dismiss()
    qtbot.waitUntil(lambda: area.geometry() == whole)


def test_a_page_that_has_no_room_to_spare_keeps_its_height(qtbot: QtBot) -> None:
    window, area, below, bar = QWidget(), QLabel("page"), QWidget(), MessageBar()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.addWidget(area, 1)
    column.addWidget(below)
    bar.float_over(area, window, below)
    area.setMinimumHeight(370)
    window.resize(700, 400)
    with qtbot.waitActive(window):
        window.show()
    before = window.size()
    bar.show_text("Overfitting.", button="Use dropout", action=lambda: None)
    QApplication.processEvents()
    assert window.size() == before
    assert bar.isVisible()


def test_a_bar_whose_text_was_destroyed_before_it_raises_nothing(qtbot: QtBot) -> None:
    """When the interpreter ends, it destroys the parts of a window in any order."""
    window, area, below, bar = QWidget(), QWidget(), QWidget(), MessageBar()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.addWidget(area, 1)
    column.addWidget(below)
    bar.float_over(area, window, below)
    window.resize(800, 600)
    with qtbot.waitExposed(window):
        window.show()
    bar.show_text("Overfitting.", button="Use dropout", action=lambda: None)
    shiboken6.delete(bar.findChild(QLabel, "messageText"))
    with qtbot.captureExceptions() as raised:
        area.hide()
    assert raised == []


def test_what_only_informs_stands_beside_the_menus_and_covers_nothing(qtbot: QtBot) -> None:
    window, bar, page, menus = QMainWindow(), MessageBar(), QWidget(), QMenuBar()
    qtbot.addWidget(window)
    # The tool bar below has a margin.
    page.setContentsMargins(0, 8, 0, 0)
    window.setCentralWidget(page)
    window.setMenuBar(menus)
    menus.setFixedHeight(28)
    for name in ("File", "Edit"):
        menus.addMenu(name)
    bar.float_over(page, window)
    bar.stand_beside(menus)
    window.resize(1_024, 500)
    with qtbot.waitExposed(window):
        window.show()

    def covers() -> bool:
        last = menus.actionGeometry(menus.actions()[-1])
        below = page.contentsRect().translated(page.pos())
        return bar.geometry().intersects(below) or bar.geometry().intersects(last)

    def is_whole() -> bool:
        label = bar.findChild(QLabel, "messageText")
        return label.height() >= label.heightForWidth(label.width())

    bar.show_text("20% of the images were held out as the test set.")
    assert not covers()
    assert is_whole()
    assert window.rect().contains(bar.geometry())
    window.resize(700, 500)
    qtbot.waitUntil(lambda: bar.geometry().right() < 700)
    assert not covers()
    # What is too long, and what stays, has its old place.
    bar.show_text("Long words on one subject " * 20)
    assert bar.geometry().intersects(page.geometry())
    assert is_whole()
    bar.show_text("Overfitting.", button="Use dropout", action=lambda: None)
    assert bar.geometry().intersects(page.geometry())
    bar.show_text("Saved.")
    assert not covers()
