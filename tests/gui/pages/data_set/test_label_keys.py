"""Keys set labels, whatever the classes are called and however many there are."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.pages.data_set.review.label_grid import KEYS, LabelGrid
from cnnstudio.gui.pages.data_set.review.panel import ReviewQueue
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
