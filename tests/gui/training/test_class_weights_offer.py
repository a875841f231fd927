"""Choosing a data set whose classes are far apart in size offers class weights in the message bar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.training.class_weights_offer import ClassWeightsOffer
from cnnstudio.gui.widgets.message_bar import MessageBar
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui.fakes import TINY
from tests.gui.user_input import UserInput

BUTTON = "Balance the class weights"


def folder(place: Path, **counts: int) -> str:
    for name, count in counts.items():
        (place / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(place / name / f"{index}.png")
    return str(place)


class Stage:
    def __init__(self, qtbot: QtBot, place: Path) -> None:
        self.qtbot = qtbot
        self.window = QWidget()
        qtbot.addWidget(self.window)
        self.project, self.message_bar = Project(TINY), MessageBar(self.window)
        self.project.set_recipe(LESSON)
        QVBoxLayout(self.window).addWidget(self.message_bar)
        self.offer = ClassWeightsOffer(
            self.project, self.message_bar, Settings(place / "window.ini"), self.window
        )
        self.window.show()
        self.user = UserInput(self.window)

    def choose(self, name: str) -> None:
        """Chooses a data set and waits until it has been looked at."""
        self.project.set_dataset(name, 2)
        self.qtbot.waitUntil(lambda: self.offer.name == name and not self.offer.is_looking)


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(qtbot, tmp_path)
    yield found
    found.window.close()


def test_one_click_balances_the_classes_and_can_be_undone(stage: Stage, tmp_path: Path) -> None:
    stage.choose(folder(tmp_path / "rare", cats=10, dogs=2))
    assert "from 2 images of dogs to 10 of cats. With balanced" in stage.message_bar.text
    stage.user.click_button(BUTTON)
    assert stage.project.recipe.class_weights == "balanced"
    assert stage.message_bar.text == ""
    stage.project.undo_stack.undo()
    assert stage.project.recipe == LESSON


def test_classes_of_similar_sizes_need_no_offer(stage: Stage, tmp_path: Path) -> None:
    stage.choose(folder(tmp_path / "even", cats=4, dogs=3))
    assert stage.message_bar.text == ""


def test_balanced_classes_need_no_offer(stage: Stage, tmp_path: Path) -> None:
    stage.project.set_recipe(LESSON.replace(class_weights="balanced"))
    stage.choose(folder(tmp_path / "rare", cats=10, dogs=2))
    assert stage.message_bar.text == ""


def test_the_offer_goes_with_its_data_set(stage: Stage, tmp_path: Path) -> None:
    stage.choose(folder(tmp_path / "rare", cats=10, dogs=2))
    assert stage.message_bar.text
    stage.choose("shapes")
    assert stage.message_bar.text == ""
    stage.choose(str(tmp_path / "rare"))
    assert stage.message_bar.text


@pytest.mark.parametrize("by_key", [False, True])
def test_closed_it_does_not_come_back_for_that_data_set(
    stage: Stage, qtbot: QtBot, tmp_path: Path, by_key: bool
) -> None:
    rare, other = folder(tmp_path / "rare", cats=10, dogs=2), folder(tmp_path / "other", cats=10, dogs=2)
    stage.choose(rare)
    close = stage.user.find(QToolButton, "messageClose")
    if by_key:
        close.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(close, Qt.Key.Key_Escape)
    else:
        stage.user.click(close)
    stage.choose("shapes")
    stage.choose(rare)
    assert stage.message_bar.text == ""
    later = Stage(qtbot, tmp_path)  # the settings are remembered
    later.choose(rare)
    assert later.message_bar.text == ""
    later.choose(other)
    assert later.message_bar.text
    later.window.close()
