"""Choosing a data set that the network does not suit offers to adapt it, as one step back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.templates import template
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.adaptation_offer import AdaptationOffer
from cnnstudio.gui.training.start_from.fit_classes import FitClasses
from cnnstudio.gui.widgets.message_bar import MessageBar
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from tests.gui.fakes import TINY


class Stage:
    def __init__(self, qtbot: QtBot) -> None:
        self.window = QWidget()
        qtbot.addWidget(self.window)
        self.project, self.bar = Project(TINY), MessageBar(self.window)
        QVBoxLayout(self.window).addWidget(self.bar)
        self.offer = AdaptationOffer(self.project, self.bar, self.window)
        self.window.show()

    def press(self, name: str) -> None:
        button = self.bar.findChild(QWidget, name)
        assert button is not None
        button.click()  # type: ignore[attr-defined]  # a button


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    found = Stage(qtbot)
    yield found
    found.window.close()


def pets(place: Path, side: int = 12) -> str:
    for name in ("cat", "dog", "owl"):
        (place / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (side, side), (9 * number, 0, 0)).save(place / name / f"{number}.png")
    return str(place)


def test_the_network_is_adapted_in_one_step_back(stage: Stage, tmp_path: Path, qtbot: QtBot) -> None:
    stage.project.set_dataset(pets(tmp_path / "pets"), None)
    qtbot.waitUntil(lambda: bool(stage.bar.text))
    assert stage.bar.text == (
        "pets has images of 12 × 12 and 3 classes; the network takes images of 8 × 8 and gives 2 scores."
    )
    button = stage.bar.findChild(QPushButton, "messageButton")
    assert button is not None
    assert button.text() == "Adapt the network"
    stage.press("messageButton")
    assert stage.project.network.input == Shape.of(3, 12, 12)
    assert stage.project.analysis.output == Shape.of(3)
    assert stage.bar.text == ""
    stage.project.undo_stack.undo()
    assert stage.project.network == TINY


@pytest.mark.parametrize("is_first", [True, False])
def test_pretrained_weights_are_offered_the_layer_that_enlarges_small_images(
    stage: Stage, tmp_path: Path, qtbot: QtBot, is_first: bool
) -> None:
    """Beside what is said of the last layer, which is fitted without being asked for, before or after."""
    fits = FitClasses(stage.project, stage.bar.show_message, stage.window)
    project = stage.project
    project.open_network(template("efficientnet-lite0").network, None)
    folder = pets(tmp_path / "pets", 20)
    project.set_dataset(folder, 3 if is_first else None, "pets")
    offered = "pets has images of 20 × 20; the network takes images of 160 × 160."
    qtbot.waitUntil(lambda: offered in stage.bar.text)
    project.set_dataset(folder, 3, "pets")
    fitted = "The last layer has 3 units now, one for each class of pets."
    assert sorted(stage.bar.text.splitlines()) == [fitted, offered]
    assert fits.parent() is stage.window
    stage.press("messageButton")
    assert project.network.input == Shape.of(3, 20, 20)
    assert project.network.nodes[0].layer == UpSampling2D((8, 8), "bilinear")
    assert project.analysis.output == Shape.of(3)
    assert stage.bar.text == ""
    # Larger images need no such layer, and the input of the template.
    project.set_dataset(pets(tmp_path / "photos", 200), 3, "photos")
    qtbot.waitUntil(lambda: "photos has images of 200 × 200" in stage.bar.text)
    stage.press("messageButton")
    assert project.network == adapt_to_classes(template("efficientnet-lite0").network, 3)


def test_a_template_opened_before_the_size_of_the_images_is_known_is_offered_it_then(
    stage: Stage, tmp_path: Path, qtbot: QtBot
) -> None:
    project, folder = stage.project, pets(tmp_path / "pets", 20)
    project.set_dataset(folder, 3, "pets")
    qtbot.waitUntil(lambda: bool(stage.bar.text))
    project.open_network(adapt_to_classes(template("efficientnet-lite0").network, 3), None)
    offered = "pets has images of 20 × 20; the network takes images of 160 × 160."
    assert offered not in stage.bar.text
    project.set_dataset(folder, 3, "pets", Shape.of(3, 20, 20))
    assert stage.bar.text == offered
    stage.press("messageButton")
    assert project.network.input == Shape.of(3, 20, 20)
    assert stage.bar.text == ""


def test_what_was_offered_with_the_data_set_is_not_offered_again_when_its_size_is_known(
    stage: Stage, tmp_path: Path, qtbot: QtBot
) -> None:
    project, folder = stage.project, pets(tmp_path / "pets", 20)
    project.open_network(adapt_to_classes(template("efficientnet-lite0").network, 3), None)
    project.set_dataset(folder, 3, "pets")
    qtbot.waitUntil(lambda: bool(stage.bar.text))
    offered = stage.bar.text
    project.set_dataset(folder, 3, "pets", Shape.of(3, 20, 20))
    assert stage.bar.text == offered
    stage.press("messageClose")
    assert stage.bar.text == ""


def test_an_offer_goes_when_its_reason_does_and_when_it_is_closed(
    stage: Stage, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = pets(tmp_path / "pets")
    stage.project.set_dataset(folder, None)
    qtbot.waitUntil(lambda: bool(stage.bar.text))
    stage.project.set_dataset("shapes", None)
    qtbot.waitUntil(lambda: stage.bar.text == "Shapes has 10 classes; the network gives 2 scores.")
    stage.press("messageClose")
    for name in (folder, "shapes"):
        stage.project.set_dataset(name, None)
        qtbot.waitUntil(lambda: stage.offer._task is None)
    assert "Shapes" not in stage.bar.text


def test_the_menu_adapts_at_any_time_and_says_if_nothing_has_to_change(
    stage: Stage, tmp_path: Path, qtbot: QtBot
) -> None:
    stage.project.set_dataset(pets(tmp_path / "pets"), None)
    qtbot.waitUntil(lambda: bool(stage.bar.text))
    stage.press("messageClose")
    action = stage.offer.action_set["actionAdapt"]
    assert action.isEnabled()
    action.trigger()
    qtbot.waitUntil(lambda: stage.project.network.input == Shape.of(3, 12, 12))
    action.trigger()
    qtbot.waitUntil(lambda: stage.bar.text == "The network suits pets: nothing has to change.")
