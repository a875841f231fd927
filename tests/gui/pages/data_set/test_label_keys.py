"""Keys set labels, whatever the classes are called and however many there are."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.pages.data_set.review.class_search import ClassSearch
from cnnstudio.gui.pages.data_set.review.label_grid import KEYS, LabelGrid
from cnnstudio.gui.pages.data_set.review.panel import ReviewQueue
from cnnstudio.gui.theme.theme import theme
from tests.gui.pages.data_set.test_review_queue import CATS, ITEMS, Opened, current, opened, pets

__all__ = ["opened", "pets"]

_KEYS = {" ": Qt.Key.Key_Space, "\r": Qt.Key.Key_Return, "\b": Qt.Key.Key_Backspace}
_NUMBERED = [f"class{number}" for number in range(30)]
_ANIMALS = ["ant", "bee", "cat", "cat big", "crow", "dog", "eel", "fox", "gnu", "hen", "yak", "zebra"]


class Chosen:
    """A queue whose labels are only noted."""

    def __init__(self, found: Opened, classes: list[str]) -> None:
        self.queue: ReviewQueue = found.queue
        self.queue.review("Dark", ITEMS)
        self.grid: LabelGrid = self.queue.labels
        self.labels: list[object] = []
        self.grid.chosen.disconnect()
        self.grid.chosen.connect(self.labels.append)
        self.grid.show_classes(classes)
        self.grid.show_item(classes[0], None)

    def press(self, qtbot: QtBot, keys: str) -> list[object]:
        self.labels.clear()
        for key in keys:
            qtbot.keyClick(self.queue, _KEYS.get(key, key))
        self.grid.clear_typed()
        return list(self.labels)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ("1", "ant"),
        ("d", "dog"),
        ("D", "dog"),
        ("cr", "crow"),
        ("ca2", "cat big"),
        ("cat\r", "cat"),
        ("cat ", "cat big"),
        ("ca\b\by", "yak"),
        (" z", "zebra"),
        (" \by", "yak"),
        ("0", "hen"),
    ],
)
def test_every_class_has_keys(opened: Opened, qtbot: QtBot, keys: str, chosen: str) -> None:
    assert Chosen(opened, _ANIMALS).press(qtbot, keys) == [chosen]


@pytest.mark.parametrize("classes", [_NUMBERED, [name.removeprefix("class") for name in _NUMBERED]])
def test_numbered_classes_are_reached_by_their_names(
    opened: Opened, qtbot: QtBot, classes: list[str]
) -> None:
    found = Chosen(opened, classes)
    for name in classes:
        # Enter would keep the label where the name had chosen it already.
        is_whole = sum(each.startswith(name) for each in classes) == 1
        assert found.press(qtbot, f" {name}{'' if is_whole else chr(13)}") == [name]


def test_ten_classes_that_are_digits_are_their_own_keys(opened: Opened, qtbot: QtBot) -> None:
    found = Chosen(opened, list("0123456789"))
    assert [found.press(qtbot, key) for key in KEYS] == [[key] for key in KEYS]


def test_z_takes_back_and_enter_keeps_unless_a_name_is_typed(opened: Opened, qtbot: QtBot) -> None:
    queue = opened.queue
    queue.review("Dark", ITEMS)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_Z, Qt.Key.Key_Escape):
        qtbot.keyClick(queue, key)
    assert current(queue) == CATS[1]
    assert queue.isVisible(), "Escape ended the name, not the review"
    qtbot.keyClick(queue, Qt.Key.Key_Z)
    assert current(queue) == CATS[0]
    qtbot.keyClick(queue, Qt.Key.Key_D)
    assert opened.overlay.label(CATS[0]) == "dog"


def test_the_hint_says_how(opened: Opened, qtbot: QtBot) -> None:
    found = Chosen(opened, _ANIMALS)
    assert found.grid._hint.full_text == "digits, or Space and a name"
    qtbot.keyClick(found.queue, Qt.Key.Key_Space)
    assert found.grid._hint.full_text == "type the name"
    qtbot.keyClick(found.queue, Qt.Key.Key_C)
    assert found.grid._hint.full_text == "begins with “c”; ↵ cat"


@pytest.fixture
def searched(opened: Opened, qtbot: QtBot) -> Chosen:
    """A queue with many classes that was asked for all of them."""
    with qtbot.waitActive(opened.queue):
        opened.queue.resize(320, 700)
        opened.queue.activateWindow()
    found = Chosen(opened, _ANIMALS)
    opened.queue.setFocus()
    qtbot.mouseClick(found.grid.all_classes, Qt.MouseButton.LeftButton)
    return found


def search_of(found: Chosen) -> ClassSearch:
    search = found.queue.findChild(ClassSearch)
    assert isinstance(search, ClassSearch)
    return search


def names_in(search: ClassSearch) -> list[str]:
    model = search.list.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def test_the_mouse_reaches_every_class(searched: Chosen, qtbot: QtBot) -> None:
    search = search_of(searched)
    assert names_in(search) == _ANIMALS
    row = search.list.model().index(_ANIMALS.index("zebra"), 0)
    search.list.scrollTo(row)
    place = search.list.visualRect(row).center()
    qtbot.mouseClick(search.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert searched.labels == ["zebra"]
    assert not search.isVisible()
    assert searched.queue.hasFocus(), "the next key is one of the queue"


@pytest.mark.parametrize(
    ("typed", "names"),
    [("cat", ["cat", "cat big"]), ("B", ["bee", "cat big", "zebra"]), (" eel ", ["eel"]), ("q", [])],
)
def test_a_search_finds_parts_of_names_and_those_that_begin_so_first(
    searched: Chosen, qtbot: QtBot, typed: str, names: list[str]
) -> None:
    qtbot.keyClicks(search_of(searched).field, typed)
    assert names_in(search_of(searched)) == names
    qtbot.keyClick(search_of(searched).field, Qt.Key.Key_Return)
    assert searched.labels == names[:1]


def test_arrows_choose_among_what_was_found_and_escape_leaves_the_search_alone(
    searched: Chosen, qtbot: QtBot
) -> None:
    search = search_of(searched)
    qtbot.keyClicks(search.field, "b")
    for key in (Qt.Key.Key_Down, Qt.Key.Key_PageDown, Qt.Key.Key_Up):
        qtbot.keyClick(search.field, key)
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    assert searched.labels == ["cat big"]
    qtbot.mouseClick(searched.grid.all_classes, Qt.MouseButton.LeftButton)
    assert names_in(search) == _ANIMALS
    qtbot.keyClick(search.field, Qt.Key.Key_Escape)
    assert not search.isVisible()
    assert searched.queue.isVisible()
    assert searched.queue.hasFocus()


def test_ten_classes_have_no_search(opened: Opened) -> None:
    assert Chosen(opened, list("0123456789")).grid.all_classes.isHidden()
    assert not Chosen(opened, _ANIMALS).grid.all_classes.isHidden()


def test_long_names_do_not_widen_the_queue(opened: Opened, qtbot: QtBot) -> None:
    names = [f"{animal} with a very long name that goes on" for animal in _ANIMALS]
    opened.queue.resize(312, 700)
    grid = Chosen(opened, names).grid
    qtbot.waitUntil(lambda: grid.width() <= 312)
    for button in grid.buttons:
        assert grid.rect().contains(button.geometry())
        text = button.text().replace("&&", "&")
        assert button.fontMetrics().horizontalAdvance(text) <= button.width()
    assert opened.queue.minimumSizeHint().width() <= 312
    grid.show_item(names[0], names[1])
    assert all("…" in button.text() and " · " not in button.text() for button in grid.buttons[:2])
    assert [button.accessibleName().rpartition(", ")[2] for button in grid.buttons[:2]] == [
        "suggested",
        "now",
    ]


def test_the_classes_of_the_search_look_like_every_list(searched: Chosen) -> None:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    assert search_of(searched).list.sizeHintForRow(0) >= 22


def test_the_card_follows_its_button_when_the_window_is_resized(searched: Chosen, qtbot: QtBot) -> None:
    search, queue = search_of(searched), searched.queue
    place = search.pos()
    search.field.setText("ze")
    queue.resize(480, 800)
    qtbot.waitUntil(lambda: search.pos() != place)
    qtbot.wait(1)
    moved = search.pos()
    search.reposition()
    assert search.pos() == moved
    assert search.isVisible()
    assert names_in(search) == ["zebra"]
    search.dismiss()
    queue.resize(320, 700)
    qtbot.wait(1)
    assert not search.isVisible()
