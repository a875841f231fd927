"""Choices before own images are added: they hold for what is added, also a moment after they were typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources.folder_list import registered_sets
from cnnstudio.gui.data.adding.panel import AddImages


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
    assert found == [("pets", False)]
    assert registered_sets()["pets"].resize == "fit"


def test_a_click_right_after_a_change_adds_the_changed_split(panel: AddImages, qtbot: QtBot) -> None:
    found = added(panel)
    panel.settings.split.share.setValue(50)
    qtbot.mouseClick(panel.add_and_use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(found))
    assert found == [("pets", True)]
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


def test_the_next_images_are_not_resized_as_those_before(
    panel: AddImages, folder: Path, qtbot: QtBot
) -> None:
    panel.settings.resize_mode.setCurrentIndex(2)
    panel.look_at(folder)
    assert panel.settings.resize_mode.mode == "fill"
