"""What the Data page shows while an order is found out, and what an offered undo may take back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.data.sources import register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.pages.data_set.checks.chips import CheckChips
from cnnstudio.gui.pages.data_set.details.augmented import make_samples
from cnnstudio.gui.pages.data_set.images.viewed_set import load_files
from cnnstudio.gui.pages.panel_parts import PanelHead
from cnnstudio.gui.widgets.message_bar import Message
from tests.gui.fakes import FakeSession


@pytest.fixture
def pets(tmp_path: Path) -> FileSource:
    for part, count in (("train", 6), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (200 * label, 30 * index, 0)).save(folder / f"{index}.png")
    return register(ImageFolder(tmp_path / "pets"))


@pytest.fixture
def page(pets: FileSource, qtbot: QtBot, tmp_path: Path) -> Iterator[DataPage]:
    session = FakeSession()
    page = DataPage(Project(), session, Settings(tmp_path / "window.ini"))
    session.setParent(page)
    qtbot.addWidget(page)
    page.ensure_built()
    page._name = pets.name
    page._show(load_files(pets, ignore_progress, never_cancelled))
    yield page
    page.close_tasks()


def test_an_order_of_one_split_does_not_show_rows_of_another(page: DataPage, qtbot: QtBot) -> None:
    images = page.images
    images.sort.choose("brightness")
    images.show_part("test")
    for _ in range(2):
        assert images.grid.sequence is not None
        assert sorted(images.grid.sequence.tolist()) == list(range(4))
        qtbot.waitUntil(lambda: ("brightness", "test") in images._keys)
    images.show_part("train")
    assert images.grid.sequence is not None
    assert sorted(images.grid.sequence.tolist()) == list(range(12))


def test_the_class_that_is_shown_alone_is_named_with_its_images(page: DataPage) -> None:
    images = page.images
    assert images.head.secondary.full_text == "12 images · 8 × 8 · color"
    images.grid.setFocus()
    QTest.keyClick(images.grid, Qt.Key.Key_Down)
    QTest.keyClick(images.grid, Qt.Key.Key_Return)
    assert images.grid.alone is not None
    name = images.grid.classes[images.grid.alone]
    assert images.head.secondary.full_text == f"{name}: 6 images · 8 × 8 · color"
    QTest.keyClick(images.grid, Qt.Key.Key_Escape)
    assert images.head.secondary.full_text == "12 images · 8 × 8 · color"


def test_beside_a_title_the_last_parts_give_way_whole(qtbot: QtBot) -> None:
    head = PanelHead("Pets")
    qtbot.addWidget(head)
    head.secondary.set_full_text("10,000 images · 32 × 32 · color")
    head.show()
    shown = set()
    for width in range(400, 120, -4):
        head.resize(width, 40)
        head.layout().activate()
        shown.add(head.secondary.text())
    whole = {"10,000 images · 32 × 32 · color", "10,000 images · 32 × 32", "10,000 images"}
    assert whole <= shown
    assert not [text for text in shown if "·" in text and "…" in text]


def test_tab_goes_through_the_chips_before_what_follows(page: DataPage, qtbot: QtBot) -> None:
    window, chips, images = QWidget(), CheckChips(page.runner), QLineEdit()
    column = QVBoxLayout(window)
    column.addWidget(chips)
    column.addWidget(images)
    qtbot.addWidget(window)
    chips.show_chips([("dark", "Dark", 2, ""), ("bright", "Bright", 1, "")])
    window.show()
    first = chips.findChild(QPushButton, "runChecks")
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    order = []
    while not images.hasFocus():
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        order.append(QApplication.focusWidget())
    assert [each.objectName() for each in order] == ["check_dark", "check_bright", ""]


def test_restore_takes_back_the_undoing_of_all_corrections_and_nothing_else(page: DataPage) -> None:
    overlay, messages = page.overlay, list[Message]()
    assert overlay is not None
    page.message.connect(messages.append)
    overlay.set_label("train/cat/0.png", "dog")
    page.sets.undo_all.click()
    (offer,) = messages
    assert offer.action is not None
    assert offer.holds is not None
    assert (overlay.entries, offer.holds()) == ({}, True)
    offer.action()
    assert overlay.entries == {"train/cat/0.png": "dog"}

    page.sets.undo_all.click()
    offer = messages[-1]
    assert offer.action is not None
    assert offer.holds is not None
    overlay.set_label("train/cat/1.png", "dog")
    assert not offer.holds()
    offer.action()
    assert overlay.entries == {"train/cat/1.png": "dog"}, "another correction came between"


@pytest.mark.parametrize("count", [1, 5, 12, 30])
def test_samples_are_different_images_as_far_as_there_are_some(pets: FileSource, count: int) -> None:
    dataset = pets.load()
    rows = np.arange(count) % len(dataset.train)
    images = dataset.train.select(rows)
    few = dataclasses.replace(dataset, train=images, test=images)
    found = make_samples(few, None, Augmentation(), dataset.shape, 0)
    assert len(found) == min(count, 12)
    if count <= 12:
        assert len({each.tobytes() for each in found}) == count
