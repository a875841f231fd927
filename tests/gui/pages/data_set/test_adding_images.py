"""Choices before own images are added: they hold for what is added, also a moment after they were typed."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton, QRadioButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources import find_source, image_folder
from cnnstudio.data.sources.adding import PreparedImages, add_images
from cnnstudio.data.sources.folder_list import registered_sets
from cnnstudio.data.sources.folder_scan import FolderScan
from cnnstudio.gui.data.adding.panel import AddImages
from cnnstudio.gui.data.adding.size_choice import SizeChoice
from cnnstudio.gui.data.source_row import SourceRow
from cnnstudio.gui.shell.main_window import MainWindow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes without test images."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 6), (25 * number, 0, 0)).save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


@pytest.fixture
def panel(qtbot: QtBot, folder: Path) -> Iterator[AddImages]:
    panel = AddImages()
    qtbot.addWidget(panel)
    panel.show()
    panel.look_at(folder)
    qtbot.waitUntil(panel.add.isEnabled)
    yield panel
    panel.close_tasks()


def test_images_without_class_folders_can_be_predicted(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "new" / "1.png")
    wanted = list[object]()
    for can_predict in (False, True):
        panel = AddImages(can_predict=can_predict)
        panel.prediction_requested.connect(wanted.append)
        qtbot.addWidget(panel)
        panel.show()
        panel.look_at(tmp_path / "new")
        qtbot.waitUntil(panel.message.isVisible)
        assert "no images in class folders" in panel.message.text()
        assert panel.predict.isVisible() is can_predict
        panel.predict.click()
        panel.close_tasks()
    assert wanted[-1] == tmp_path / "new"


def test_test_images_without_labels_can_be_predicted_and_the_rest_added(
    panel: AddImages, tmp_path: Path, qtbot: QtBot
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "both" / "train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).rename(tmp_path / "both" / "train" / name)
    (tmp_path / "both" / "test").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "both" / "test" / "1.png")
    offering = AddImages(can_predict=True)
    qtbot.addWidget(offering)
    offering.show()
    wanted = list[object]()
    offering.prediction_requested.connect(wanted.append)
    offering.look_at(tmp_path / "both")
    qtbot.waitUntil(offering.add.isEnabled)
    qtbot.mouseClick(offering.predict, Qt.MouseButton.LeftButton)
    assert wanted == [tmp_path / "both" / "test"]
    offering.look_at(tmp_path / "nothing")
    assert offering.predict.isHidden()
    offering.close_tasks()


def added(panel: AddImages) -> list[object]:
    found = list[object]()
    panel.added.connect(found.append)
    return found


def test_images_are_added_with_the_chosen_way_of_resizing(panel: AddImages, qtbot: QtBot) -> None:
    found = added(panel)
    panel.settings.resize_mode.setCurrentIndex(1)
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert found == [("pets", False, "")]
    assert registered_sets()["pets"].resize == "fit"


def test_on_a_full_disk_nothing_is_added_and_it_can_be_tried_again(
    panel: AddImages, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = added(panel)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(panel.message.isVisible)
    assert panel.message.text().endswith("Free some space, or choose another location.")
    assert (found, registered_sets()) == ([], {})
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert registered_sets().keys() == {"pets"}


def test_a_click_right_after_a_change_adds_the_changed_split(panel: AddImages, qtbot: QtBot) -> None:
    found = added(panel)
    panel.settings.split.share.setValue(50)
    qtbot.mouseClick(panel.add_and_use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert found == [("pets", True, "")]
    assert registered_sets()["pets"].plan.share == 0.5


def test_a_click_right_after_a_wrong_pattern_adds_nothing(panel: AddImages, qtbot: QtBot) -> None:
    found = added(panel)
    panel.settings.split.groups.setText("(")
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    assert not panel.add.isEnabled()
    assert panel.settings.split.problem.isVisible()
    panel.settings.split.groups.setText("")
    qtbot.waitUntil(panel.add.isEnabled)
    assert (found, registered_sets()) == ([], {})


def test_nothing_is_cut_beside_the_classes_in_a_small_window(
    panel: AddImages, folder: Path, qtbot: QtBot
) -> None:
    (folder / "dog" / "broken.png").write_bytes(b"")
    # As wide as in a window of 1024 pixels; and so low that there is a scroll bar.
    panel.resize(458, 300)
    panel.look_at(folder)
    qtbot.waitUntil(lambda: panel.settings.skipped.isVisible())
    qtbot.waitUntil(lambda: panel.settings.verticalScrollBar().maximum() > 0)
    assert panel.settings.split.isVisible()
    assert panel.settings.horizontalScrollBar().maximum() == 0


def test_what_takes_long_is_canceled_by_the_one_button_for_it(
    panel: AddImages, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_ended = threading.Event()

    def scan(folder: Path, cancelled: CancelFunction) -> FolderScan:
        try:
            while True:
                raise_if_cancelled(cancelled)
        finally:
            is_ended.set()

    monkeypatch.setattr(image_folder, "scan", scan)
    panel.look_at(folder)
    qtbot.waitUntil(lambda: panel.progress.isVisible())
    buttons = [
        each for each in panel.findChildren(QPushButton) if each.isVisible() and "Cancel" in each.text()
    ]
    assert buttons == [panel.cancel_button]
    with qtbot.waitSignal(panel.closed):
        qtbot.mouseClick(panel.cancel_button, Qt.MouseButton.LeftButton)
    assert not panel.progress.isVisible()
    qtbot.waitUntil(is_ended.is_set)


@pytest.mark.parametrize("damage", ["no images", "cut"])
def test_a_class_without_readable_images_is_said_before_it_is_added(
    panel: AddImages, folder: Path, damage: str, qtbot: QtBot
) -> None:
    for path in (folder / "dog").iterdir():
        Image.effect_noise((40, 40), 50).save(path, "jpeg")
        path.write_bytes(b"none" if damage == "no images" else path.read_bytes()[:600])
    panel.look_at(folder)
    qtbot.waitUntil(panel.message.isVisible)
    assert panel.message.text() == "None of the training images of class dog in pets can be read."
    qtbot.waitUntil(lambda: panel.settings.skipped.isVisible())
    qtbot.waitUntil(lambda: panel.summary.text() == "2 classes, 10 images: 8 for training, 2 for testing.")
    # It stays so whatever else is chosen.
    panel.settings.split.share.setValue(50)
    qtbot.waitUntil(lambda: panel.summary.text() == "2 classes, 10 images: 5 for training, 5 for testing.")
    assert panel.message.isVisible()
    assert not panel.add.isEnabled()
    assert not panel.add_and_use.isEnabled()
    for path in (folder / "dog").iterdir():
        Image.new("RGB", (8, 6)).save(path)
    panel.look_at(folder)
    qtbot.waitUntil(panel.add.isEnabled)
    assert not panel.message.isVisible()


def test_the_next_images_are_not_resized_as_those_before(
    panel: AddImages, folder: Path, qtbot: QtBot
) -> None:
    panel.settings.resize_mode.setCurrentIndex(2)
    panel.look_at(folder)
    assert panel.settings.resize_mode.mode == "fill"


def test_images_are_added_at_the_typed_size_with_its_cost(panel: AddImages, qtbot: QtBot) -> None:
    found = added(panel)
    qtbot.waitUntil(
        lambda: panel.settings.image_size.field.currentText() == "Automatic: 6 × 8 (height × width)"
    )
    assert panel.sizes.text() == "All images are 6 × 8 (height × width)."
    assert panel.settings.image_size.cost.text() == "20 images take 3 kB in memory and in the image cache."
    panel.settings.image_size.field.lineEdit().selectAll()
    qtbot.keyClicks(panel.settings.image_size.field, "5000")
    assert panel.settings.image_size.problem.isVisible()
    assert not panel.add.isEnabled()
    panel.settings.image_size.field.lineEdit().selectAll()
    qtbot.keyClicks(panel.settings.image_size.field, "16x20")
    assert panel.settings.image_size.cost.text() == "20 images take 19 kB in memory and in the image cache."
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert registered_sets()["pets"].size == (16, 20)
    assert find_source("pets").load().shape == (3, 16, 20)


def test_a_folder_in_the_list_starts_with_its_own_settings(
    panel: AddImages, folder: Path, qtbot: QtBot
) -> None:
    add_images(folder, "my pets", split={"seed": 3, "share": 0.4}, resize="fit", size=(16, 20))
    known = registered_sets()
    found = added(panel)
    panel.look_at(folder)
    qtbot.waitUntil(panel.add.isEnabled)
    assert (panel.name.text(), panel.add.text()) == ("my pets", "Save")
    assert (panel.settings.split.share.value(), panel.settings.split.seed.value()) == (40, 3)
    assert panel.settings.resize_mode.mode == "fit"
    qtbot.waitUntil(lambda: "sizes" in panel.sizes.text() or panel.sizes.text().startswith("All"))
    assert panel.settings.image_size.chosen == (16, 20)
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert (found, registered_sets()) == ([("my pets", False, "my pets")], known)


def test_the_layout_that_was_chosen_can_be_chosen_again(
    panel: AddImages, tmp_path: Path, qtbot: QtBot
) -> None:
    for name in ("animals/cat", "animals/dog", "plants"):
        (tmp_path / "things" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(tmp_path / "things" / name / f"{number}.png")
    add_images(tmp_path / "things", reading="subfolders")
    panel.look_at(tmp_path / "things")
    qtbot.waitUntil(panel.add.isEnabled)
    chosen = panel.findChild(QRadioButton, "layout_subfolders")
    other = panel.findChild(QRadioButton, "layout_folders")
    assert isinstance(chosen, QRadioButton)
    assert isinstance(other, QRadioButton)
    assert chosen.isChecked()
    found = added(panel)
    qtbot.mouseClick(other, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.add.isEnabled)
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert registered_sets()["things"].reading == "folders"


def test_a_layout_that_cannot_be_read_is_not_added_as_another_one(
    panel: AddImages, tmp_path: Path, qtbot: QtBot
) -> None:
    things = tmp_path / "things"
    for name in ("animals/cat", "animals/dog", "plants"):
        (things / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(things / name / f"{number}.png")
    add_images(things, reading="subfolders")
    panel.look_at(things)
    qtbot.waitUntil(panel.add.isEnabled)
    for name in ("animals/dog", "plants"):
        shutil.rmtree(things / name)
    other = panel.findChild(QRadioButton, "layout_folders")
    assert isinstance(other, QRadioButton)
    qtbot.mouseClick(other, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.message.isVisible)
    panel.settings.image_size.field.setCurrentText("16")
    assert not panel.add.isEnabled()


def test_a_size_that_became_wrong_while_adding_failed_is_not_taken_for_the_one_before(
    panel: AddImages, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DataError("The list cannot be written.")

    monkeypatch.setattr(PreparedImages, "add", fail)
    qtbot.waitUntil(lambda: panel.sizes.text().startswith("All"))
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    panel.settings.image_size.field.setCurrentText("5000")
    qtbot.waitUntil(panel.message.isVisible)
    assert not panel.add.isEnabled()
    panel.settings.image_size.field.setCurrentText("50")
    assert panel.add.isEnabled()


def test_the_set_in_use_stays_in_use_under_its_new_name_and_with_its_new_classes(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    things = tmp_path / "things"
    for name in ("animals/cat", "animals/dog", "plants"):
        (things / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(things / name / f"{number}.png")
    add_images(things, reading="subfolders")
    page = window.pages.data
    window.pages.turn_to(0)
    page.refresh_sets()
    window.project.set_dataset("things", None)
    qtbot.waitUntil(lambda: window.project.classes == 3)
    page.offer(things)
    qtbot.waitUntil(page.adding.add.isEnabled)
    other = page.adding.findChild(QRadioButton, "layout_folders")
    assert isinstance(other, QRadioButton)
    qtbot.mouseClick(other, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.adding.add.isEnabled)
    qtbot.mouseClick(page.adding.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.project.classes == 2)
    page.offer(things)
    qtbot.waitUntil(page.adding.add.isEnabled)
    page.adding.name.setText("living")
    qtbot.mouseClick(page.adding.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.project.dataset_name == "living" and window.project.classes == 2)
    assert set(registered_sets()) == {"living"}


def test_a_folder_that_was_used_by_its_path_is_listed_and_added_with_a_click(
    window: MainWindow, folder: Path, qtbot: QtBot
) -> None:
    window.project.set_dataset(str(folder), None)
    window.pages.turn_to(0)
    page = window.pages.data
    names = page.sets.list
    qtbot.waitUntil(lambda: names.is_unlisted(str(folder)))
    item = names.item(names.count() - 1)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == f"pets, in use, used in {folder.parent}"
    assert "not in your list" in page.images.grid.hint
    qtbot.mouseClick(names.viewport(), Qt.MouseButton.LeftButton, pos=names.visualItemRect(item).center())
    qtbot.waitUntil(page.adding.add.isEnabled)
    qtbot.mouseClick(page.adding.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "pets" in registered_sets())
    qtbot.waitUntil(lambda: names.chosen == "pets")
    assert not names.is_unlisted(str(folder))


def test_the_size_of_a_set_is_changed_later(window: MainWindow, folder: Path, qtbot: QtBot) -> None:
    add_images(folder)
    window.pages.turn_to(0)
    page = window.pages.data
    page.refresh_sets()
    page.sets.list.choose("pets")
    qtbot.waitUntil(lambda: page.overlay is not None)
    card = page.details.sets.findChild(SourceRow, "source_pets")
    assert isinstance(card, SourceRow)
    change = card.findChild(QPushButton, "change")
    assert isinstance(change, QPushButton)
    change.click()
    qtbot.waitUntil(page.adding.add.isEnabled)
    page.adding.settings.image_size.field.setCurrentText("32")
    qtbot.mouseClick(page.adding.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: registered_sets()["pets"].size == (32, 32))
    qtbot.waitUntil(lambda: page.overlay is not None and page.images.grid.isVisible())


def test_a_narrow_size_field_shows_its_text_from_the_first_letter(qtbot: QtBot) -> None:
    choice = SizeChoice()
    qtbot.addWidget(choice)
    choice.field.setFixedWidth(110)
    choice.show()
    choice.show_count(400, (32, 32))
    line = choice.field.lineEdit()
    assert line is not None
    assert line.text() == "Automatic: 32 × 32"
    choice.grab()  # where a field is scrolled to is decided when it is painted
    assert line.cursorPositionAt(QPoint(0, line.height() // 2)) == 0
