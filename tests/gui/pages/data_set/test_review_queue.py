"""The review queue: what was answered is counted right, remembered, and taken back by the same key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.core.paths import home
from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.sources import register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.confirmed import confirm_label, read_confirmed
from cnnstudio.data.versions.corrections import read_corrections
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import load_files
from cnnstudio.gui.pages.data_set.review.panel import ReviewQueue
from cnnstudio.gui.pages.data_set.review.review_list import ReviewList

CATS = [f"train/cat/{number}.png" for number in range(4)]
ITEMS = [ReviewItem(file, "cat", "dog") for file in CATS]


@pytest.fixture
def pets(tmp_path: Path) -> FileSource:
    for part, count in (("train", 4), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (200 * label, 60 * index, 0)).save(folder / f"{index}.png")
    return register(ImageFolder(tmp_path / "pets"))


class Opened:
    """The queue over the labels as they are in their files now."""

    def __init__(self, source: FileSource, qtbot: QtBot) -> None:
        self.viewed = load_files(source, ignore_progress, never_cancelled)
        self.overlay = LabelOverlay(self.viewed)
        self.queue = ReviewQueue()
        qtbot.addWidget(self.queue)
        self.queue.show_set(self.viewed, self.overlay)
        self.queue.show()

    def close(self) -> None:
        self.overlay.finish()
        self.overlay.deleteLater()


@pytest.fixture
def opened(pets: FileSource, qtbot: QtBot) -> Iterator[Opened]:
    found = Opened(pets, qtbot)
    yield found
    found.close()


def current(queue: ReviewQueue) -> str:
    assert queue.list is not None
    return "" if queue.list.current is None else queue.list.current.file


def test_the_end_says_what_is_left_and_leads_back_to_it() -> None:
    found = ReviewList("Dark", ITEMS)
    found.answer("kept")
    found.skip()
    found.answer("labeled")
    found.skip()
    assert found.current is None
    assert found.describe() == "2 of 4 images reviewed: 1 relabeled, 1 kept. 2 left: press → to go on."
    found.skip()
    assert found.index == 1
    found.answer("kept")
    assert found.index == 3, "what has an answer is not asked again"
    found.answer("excluded")
    assert found.describe() == "All 4 images reviewed: 1 relabeled, 1 excluded, 2 kept."


def test_a_look_at_an_answered_image_does_not_forget_its_answer() -> None:
    found = ReviewList("Dark", ITEMS)
    found.answer("kept")
    found.back()
    found.skip()
    assert found.go_to(CATS[0])
    assert found.answered == 1


def test_an_image_that_was_answered_twice_counts_once() -> None:
    found = ReviewList("Dark", ITEMS)
    found.answer("labeled")
    found.back()
    found.answer("kept")
    assert (found.answered, found.answers[CATS[0]]) == (1, "kept")


def test_kept_labels_are_not_asked_again_after_the_program_was_closed(
    pets: FileSource, opened: Opened, qtbot: QtBot
) -> None:
    queue = opened.queue
    queue.review("Dark", ITEMS, resumes=True)
    qtbot.keyClick(queue, Qt.Key.Key_Return)
    qtbot.keyClick(queue, Qt.Key.Key_2)
    opened.overlay.finish()
    assert read_confirmed(pets) == {CATS[0]: "cat"}
    assert set(read_corrections(pets.path).entries) == {CATS[1]}, "keeping a label corrects nothing"

    again = Opened(pets, qtbot)
    again.queue.review("Dark", ITEMS, resumes=True)
    assert current(again.queue) == CATS[2]
    assert again.queue.head.secondary.full_text == "3 of 4"
    again.queue.review("Review", ITEMS)
    assert current(again.queue) == CATS[0], "what was opened by hand begins where it was opened"
    again.close()


def test_a_kept_label_is_asked_again_when_the_label_or_the_file_has_changed(
    pets: FileSource, opened: Opened
) -> None:
    for file in CATS[:2]:
        confirm_label(pets, file, "cat")
    Image.new("RGB", (8, 8), (9, 9, 9)).save(pets.folder / CATS[1])
    assert set(read_confirmed(pets)) == {CATS[0]}
    opened.overlay.confirm(CATS[0])
    opened.overlay.set_label(CATS[0], "dog")
    assert not opened.overlay.is_confirmed(CATS[0])


def test_undo_takes_back_what_was_answered_last_not_an_earlier_correction(
    pets: FileSource, opened: Opened, qtbot: QtBot
) -> None:
    queue = opened.queue
    queue.review("Dark", ITEMS, resumes=True)
    for key in (Qt.Key.Key_2, Qt.Key.Key_Return, Qt.Key.Key_Z):
        qtbot.keyClick(queue, key)
    assert current(queue) == CATS[1]
    assert opened.overlay.entries == {CATS[0]: "dog"}
    qtbot.keyClick(queue, Qt.Key.Key_Z)
    assert current(queue) == CATS[0]
    opened.overlay.finish()
    assert (opened.overlay.entries, read_confirmed(pets)) == ({}, {})
    assert not read_corrections(pets.path).entries


def test_a_damaged_list_of_kept_labels_counts_as_none(pets: FileSource, opened: Opened) -> None:
    confirm_label(pets, CATS[0], "cat")
    (kept,) = (home() / "labels").glob("*-confirmed.json")
    kept.write_text('{"confirmed": {"a": 1}}')
    assert read_confirmed(pets) == {}
    confirm_label(pets, CATS[1], "cat")
    assert read_confirmed(pets) == {CATS[1]: "cat"}


def test_the_foot_offers_the_training_when_there_is_something_to_train(opened: Opened, qtbot: QtBot) -> None:
    queue, wanted = opened.queue, list[bool]()
    queue.training_requested.connect(lambda: wanted.append(True))
    queue.review("Dark", ITEMS)
    assert queue.train_again.isHidden()
    queue.offer_training("Show a run first")
    assert (queue.train_again.isEnabled(), queue.train_again.toolTip()) == (False, "Show a run first")
    queue.offer_training("")
    qtbot.mouseClick(queue.train_again, Qt.MouseButton.LeftButton)
    assert wanted == [True]
