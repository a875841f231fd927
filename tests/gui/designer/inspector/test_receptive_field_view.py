"""The receptive field of a layer, shown on images of the data set."""

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
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.inspector.receptive_field_view import ReceptiveFieldView
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Shape

CLASSES = "cat", "dog"


def dataset(side: int = 32) -> Dataset:
    """Four images, each of a single color."""
    images = np.zeros((4, 3, side, side), np.uint8)
    images += np.array([0, 60, 120, 180], np.uint8)[:, None, None, None]
    split = Split(images, np.array([0, 1, 0, 1]))
    return Dataset("plain", "Plain", CLASSES, split, split)


class StubSession(TrainingSession):
    """A session that delivers a data set only when the test calls `deliver`."""

    def __init__(self) -> None:
        super().__init__()
        self.requested: list[str] = []
        self.deliver: Callable[[Dataset], object] = print
        self.fail: Callable[[str], object] = print

    def fetch(
        self, name: str, on_done: Callable[[Dataset], object], on_error: Callable[[str], object]
    ) -> ComputeTask:
        self.requested.append(name)
        self.deliver, self.fail = on_done, on_error
        return ComputeTask(lambda progress, cancelled: None, on_done, on_error, print)


@pytest.fixture
def project(lesson: Network) -> Project:
    project = Project(lesson)
    project.set_dataset("plain", None)
    return project


@pytest.fixture
def session() -> StubSession:
    return StubSession()


@pytest.fixture
def view(qtbot: QtBot, project: Project, session: StubSession) -> ReceptiveFieldView:
    view = ReceptiveFieldView(project, session)
    qtbot.addWidget(view)
    view.resize(420, 520)
    with qtbot.waitActive(view):
        view.show()
    qtbot.waitUntil(lambda: session.requested == ["plain"])
    session.deliver(dataset())
    qtbot.waitUntil(lambda: label_text(view, "fieldImageName").startswith("cat"))
    return view


def label_text(view: ReceptiveFieldView, name: str) -> str:
    return view.findChild(QLabel, name).accessibleName() or view.findChild(QLabel, name).text()


def select(qtbot: QtBot, project: Project, view: ReceptiveFieldView, node_id: str) -> None:
    project.select([node_id])
    title = project.network.node(node_id).title
    qtbot.waitUntil(lambda: title in (label.accessibleName() for label in view.findChildren(QLabel)))


def test_the_view_says_how_much_of_the_image_a_value_sees(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    select(qtbot, project, view, "conv2d_2")
    assert view.field_text == "Each output value sees 8 × 8 of 32 × 32 pixels (6.2% of the image)."
    assert label_text(view, "fieldValue") == "Row 7, column 7 of 13 × 13 · effective stride 2 × 2 pixels"
    assert "8 by 8 of 32 by 32" in view.image.accessibleDescription()


def test_the_field_rectangle_follows_from_kernels_and_strides(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    select(qtbot, project, view, "conv2d_2")
    assert view.image.position == (6, 6)
    assert view.image.field_rect == QRectF(12, 12, 8, 8)


def test_with_padding_a_field_extends_beyond_the_image(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    layer = project.network.node("conv2d_1").layer.with_values({"padding": "same"})
    same = edits.replace(project.network, "conv2d_1", layer=layer)
    project.edit("pad", same)
    select(qtbot, project, view, "conv2d_1")
    for _ in range(16):
        qtbot.keyClick(view.image, Qt.Key.Key_Up)
        qtbot.keyClick(view.image, Qt.Key.Key_Left)
    assert view.image.position == (0, 0)
    assert view.image.field_rect == QRectF(-1, -1, 3, 3)


def test_arrow_keys_move_to_other_values_and_stop_at_the_edge(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    select(qtbot, project, view, "conv2d_2")
    qtbot.keyClick(view.image, Qt.Key.Key_Right)
    qtbot.keyClick(view.image, Qt.Key.Key_Up)
    assert view.image.position == (5, 7)
    assert label_text(view, "fieldValue").startswith("Row 6, column 8 of 13 × 13")
    for _ in range(10):
        qtbot.keyClick(view.image, Qt.Key.Key_Right)
    assert view.image.position == (5, 12)


def test_the_field_follows_the_mouse(qtbot: QtBot, project: Project, view: ReceptiveFieldView) -> None:
    select(qtbot, project, view, "conv2d_2")
    center = QPointF(view.image.rect().center())
    qtbot.mouseMove(view.image, (center / 2).toPoint())
    upper = view.image.position
    assert max(upper) < 6
    qtbot.mouseMove(view.image, (center * 1.5).toPoint())
    assert min(view.image.position) > 6


def test_keys_and_buttons_change_the_image(qtbot: QtBot, project: Project, view: ReceptiveFieldView) -> None:
    assert label_text(view, "fieldImageName") == "cat · image 1 of 4"
    qtbot.keyClick(view.image, Qt.Key.Key_PageDown)
    assert label_text(view, "fieldImageName") == "dog · image 2 of 4"
    qtbot.mouseClick(view.findChild(QToolButton, "previousImage"), Qt.MouseButton.LeftButton)
    qtbot.keyClick(view.image, Qt.Key.Key_PageUp)
    assert label_text(view, "fieldImageName") == "dog · image 4 of 4"


def test_a_dense_layer_sees_the_whole_image(qtbot: QtBot, project: Project, view: ReceptiveFieldView) -> None:
    select(qtbot, project, view, "dense_1")
    assert view.field_text == "Each output value sees the whole image (32 × 32 pixels)."
    assert view.image.field_rect == QRectF(0, 0, 32, 32)
    assert label_text(view, "fieldValue") == ""


def test_the_field_of_a_flattened_value_is_shown_in_the_middle(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    select(qtbot, project, view, "flatten_1")
    assert view.image.field_rect == QRectF(11, 11, 10, 10)


def test_images_are_resized_to_the_input_of_the_network(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    project.edit("input", edits.set_input(project.network, Shape.of(1, 20, 24)))
    select(qtbot, project, view, "conv2d_1")
    assert view.field_text == "Each output value sees 3 × 3 of 20 × 24 pixels (1.9% of the image)."
    assert label_text(view, "fieldImageName") == "cat · image 1 of 4"


def test_another_data_set_is_loaded(
    qtbot: QtBot, project: Project, session: StubSession, view: ReceptiveFieldView
) -> None:
    project.set_dataset("elsewhere", None)
    qtbot.waitUntil(lambda: session.requested == ["plain", "elsewhere"])
    session.fail("The images are gone.")
    qtbot.waitUntil(lambda: label_text(view, "fieldImageName") == "The images are gone.")
    assert not view.findChild(QToolButton, "nextImage").isEnabled()


def test_a_data_set_loaded_for_training_is_used(qtbot: QtBot, project: Project, session: StubSession) -> None:
    view = ReceptiveFieldView(project, session)
    qtbot.addWidget(view)
    session.dataset_loaded.emit(("plain", dataset()))
    view.show()
    qtbot.waitUntil(lambda: label_text(view, "fieldImageName").startswith("cat"))
    assert session.requested == []


def test_without_a_selection_the_view_asks_for_one(view: ReceptiveFieldView) -> None:
    assert view.field_text.startswith("Select a layer")


def test_the_field_of_a_faulty_layer_is_not_available(
    qtbot: QtBot, project: Project, view: ReceptiveFieldView
) -> None:
    project.edit("input", edits.set_input(project.network, Shape.of(3, 2, 2)))
    select(qtbot, project, view, "max_pooling2d_1")
    assert view.field_text.startswith("Not available")
