"""What a layer sees, on images of the data set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import Job
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.inspector.receptive_field_view import ReceptiveFieldView
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Shape

CLASSES = "cat", "dog"


def dataset(side: int = 32) -> Dataset:
    """Four images, of one color each."""
    images = np.zeros((4, 3, side, side), np.uint8)
    images += np.array([0, 60, 120, 180], np.uint8)[:, None, None, None]
    split = Split(images, np.array([0, 1, 0, 1]))
    return Dataset("plain", "Plain", CLASSES, split, split)


class Shelf(TrainingSession):
    """A session whose data sets come when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.give: Callable[[Dataset], object] = print
        self.refuse: Callable[[str], object] = print

    def fetch(
        self, name: str, on_done: Callable[[Dataset], object], on_error: Callable[[str], object]
    ) -> Job:
        self.asked.append(name)
        self.give, self.refuse = on_done, on_error
        return Job(lambda progress, cancelled: None, on_done, on_error, print)


@pytest.fixture
def project(lesson: Network) -> Project:
    project = Project(lesson)
    project.set_dataset("plain", None)
    return project


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def view(qtbot: QtBot, project: Project, shelf: Shelf) -> ReceptiveFieldView:
    view = ReceptiveFieldView(project, shelf)
    qtbot.addWidget(view)
    view.resize(420, 520)
    with qtbot.waitActive(view):
        view.show()
    qtbot.waitUntil(lambda: shelf.asked == ["plain"])
    shelf.give(dataset())
    qtbot.waitUntil(lambda: words(view, "fieldImageName").startswith("cat"))
    return view


def words(view: ReceptiveFieldView, name: str) -> str:
    return view.findChild(QLabel, name).accessibleName() or view.findChild(QLabel, name).text()


def chosen(qtbot: QtBot, project: Project, view: ReceptiveFieldView, node_id: str) -> None:
    project.select([node_id])
    title = project.network.node(node_id).title
    qtbot.waitUntil(lambda: title in (label.accessibleName() for label in view.findChildren(QLabel)))


def test_it_says_how_much_of_the_image_a_value_sees(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    chosen(qtbot, project, view, "conv2d_2")
    assert view.sentence == "Each value sees 8 × 8 of 32 × 32 pixels, 6.2% of the image."
    assert words(view, "fieldValue") == "Row 7, column 7 of 13 × 13 · values stand 2 × 2 pixels apart"
    assert "8 by 8 of 32 by 32" in view.image.accessibleDescription()


def test_the_field_is_where_the_arithmetic_says(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    chosen(qtbot, project, view, "conv2d_2")
    assert view.image.place == (6, 6)
    assert view.image.field == QRectF(12, 12, 8, 8)


def test_padding_lets_a_field_reach_beyond_the_image(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    layer = project.network.node("conv2d_1").layer.taking({"padding": "same"})
    same = edits.replace(project.network, "conv2d_1", layer=layer)
    project.edit("pad", same)
    chosen(qtbot, project, view, "conv2d_1")
    for _ in range(16):
        qtbot.keyClick(view.image, Qt.Key.Key_Up)
        qtbot.keyClick(view.image, Qt.Key.Key_Left)
    assert view.image.place == (0, 0)
    assert view.image.field == QRectF(-1, -1, 3, 3)


def test_arrows_move_from_value_to_value_and_stop_at_the_edge(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    chosen(qtbot, project, view, "conv2d_2")
    qtbot.keyClick(view.image, Qt.Key.Key_Right)
    qtbot.keyClick(view.image, Qt.Key.Key_Up)
    assert view.image.place == (5, 7)
    assert words(view, "fieldValue").startswith("Row 6, column 8 of 13 × 13")
    for _ in range(10):
        qtbot.keyClick(view.image, Qt.Key.Key_Right)
    assert view.image.place == (5, 12)


def test_the_field_follows_the_mouse(qtbot: QtBot, project: Project, view: ReceptiveFieldView) -> None:
    chosen(qtbot, project, view, "conv2d_2")
    center = QPointF(view.image.rect().center())
    qtbot.mouseMove(view.image, (center / 2).toPoint())
    upper = view.image.place
    assert max(upper) < 6
    qtbot.mouseMove(view.image, (center * 1.5).toPoint())
    assert min(view.image.place) > 6


def test_images_are_turned_by_keys_and_buttons(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    assert words(view, "fieldImageName") == "cat · image 1 of 4"
    qtbot.keyClick(view.image, Qt.Key.Key_PageDown)
    assert words(view, "fieldImageName") == "dog · image 2 of 4"
    qtbot.mouseClick(view.findChild(QToolButton, "imageBefore"), Qt.MouseButton.LeftButton)
    qtbot.keyClick(view.image, Qt.Key.Key_PageUp)
    assert words(view, "fieldImageName") == "dog · image 4 of 4"


def test_a_flat_layer_behind_all_sees_the_whole_image(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    chosen(qtbot, project, view, "dense_1")
    assert view.sentence == "Each value sees all 32 × 32 pixels of the image."
    assert view.image.field == QRectF(0, 0, 32, 32)
    assert words(view, "fieldValue") == ""


def test_a_flattened_value_is_shown_in_the_middle(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    chosen(qtbot, project, view, "flatten_1")
    assert view.image.field == QRectF(11, 11, 10, 10)


def test_images_are_fitted_to_the_network(qtbot: QtBot, project: Project, view: ReceptiveFieldView) -> None:
    project.edit("input", edits.with_input(project.network, Shape.of(1, 20, 24)))
    chosen(qtbot, project, view, "conv2d_1")
    assert view.sentence == "Each value sees 3 × 3 of 20 × 24 pixels, 1.9% of the image."
    assert words(view, "fieldImageName") == "cat · image 1 of 4"


def test_another_data_set_is_asked_for(
    qtbot: QtBot, project: Project, shelf: Shelf, view: ReceptiveFieldView
) -> None:
    project.set_dataset("elsewhere", None)
    qtbot.waitUntil(lambda: shelf.asked == ["plain", "elsewhere"])
    shelf.refuse("The images are gone.")
    qtbot.waitUntil(lambda: words(view, "fieldImageName") == "The images are gone.")
    assert not view.findChild(QToolButton, "imageAfter").isEnabled()


def test_the_data_set_of_a_training_is_taken_as_it_comes(
    qtbot: QtBot, project: Project, shelf: Shelf
) -> None:
    view = ReceptiveFieldView(project, shelf)
    qtbot.addWidget(view)
    shelf.dataset_loaded.emit(("plain", dataset()))
    view.show()
    qtbot.waitUntil(lambda: words(view, "fieldImageName").startswith("cat"))
    assert shelf.asked == []


def test_without_a_layer_it_asks_for_one(view: ReceptiveFieldView) -> None:
    assert view.sentence.startswith("Select a layer")


def test_what_a_faulty_layer_sees_is_not_known(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    project.edit("input", edits.with_input(project.network, Shape.of(3, 2, 2)))
    chosen(qtbot, project, view, "max_pooling2d_1")
    assert "mistake" in view.sentence
