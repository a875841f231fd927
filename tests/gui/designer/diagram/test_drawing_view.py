"""The dock with the network drawing: follows the design, selects layers, zooms, saves to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.colors import TOKENS
from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.diagram.drawing_view import DrawingView, save_drawing_as
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme

ChooseFile = Callable[[str, str], None]


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def view(qtbot: QtBot, project: Project) -> DrawingView:
    view = DrawingView(project)
    qtbot.addWidget(view)
    view.resize(900, 260)
    with qtbot.waitActive(view):
        view.show()
    qtbot.waitUntil(lambda: view.canvas.drawing is not None)
    return view


@pytest.fixture
def choose_file(monkeypatch: pytest.MonkeyPatch) -> ChooseFile:
    """Sets what the user chooses in the file dialog: a name and a filter."""

    def choose(name: str, file_filter: str) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (name, file_filter))

    return choose


def center_of(view: DrawingView, node_id: str) -> QPoint:
    """The center of the front of a layer's box, on the canvas."""
    drawing = view.canvas.drawing
    assert drawing is not None
    (box,) = drawing.boxes_of(node_id)
    point = QPointF(box.x + box.width / 2, box.y + box.height / 2) * view.canvas.scale
    return point.toPoint()


def test_the_drawing_follows_the_design(qtbot: QtBot, project: Project, view: DrawingView) -> None:
    project.edit("delete", edits.remove(project.network, ["max_pooling2d_1"]))
    qtbot.waitUntil(lambda: "max_pooling2d_1" not in view.canvas.drawing.order)


def test_a_hidden_view_is_not_redrawn(qtbot: QtBot, project: Project, view: DrawingView) -> None:
    before = view.canvas.drawing
    view.hide()
    project.edit("delete", edits.remove(project.network, ["max_pooling2d_1"]))
    qtbot.wait(150)
    assert view.canvas.drawing is before
    view.show()
    qtbot.waitUntil(lambda: view.canvas.drawing is not before)


def test_clicking_a_box_selects_its_layer(qtbot: QtBot, project: Project, view: DrawingView) -> None:
    qtbot.mouseClick(view.canvas.widget(), Qt.MouseButton.LeftButton, pos=center_of(view, "max_pooling2d_1"))
    assert project.selection == ("max_pooling2d_1",)
    qtbot.mouseClick(view.canvas.widget(), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert project.selection == ()


def test_the_selection_is_highlighted_and_described(
    qtbot: QtBot, project: Project, view: DrawingView
) -> None:
    project.select(["conv2d_2"])
    qtbot.waitUntil(lambda: view.canvas.highlighted == {"conv2d_2"})
    assert "64 × 13 × 13" in view.canvas.accessibleDescription()


def test_a_selected_group_is_highlighted_with_its_layers(
    qtbot: QtBot, project: Project, nested: Network
) -> None:
    project.open_network(nested, None)
    view = DrawingView(project)
    qtbot.addWidget(view)
    view.show()
    project.select(["residual_1"])
    qtbot.waitUntil(lambda: {"conv2d_2", "dropout_1"} <= view.canvas.highlighted)


def test_arrow_keys_move_from_layer_to_layer(qtbot: QtBot, project: Project, view: DrawingView) -> None:
    def press(key: Qt.Key) -> tuple[str, ...]:
        qtbot.keyClick(view.canvas, key)
        qtbot.waitUntil(lambda: view.canvas.highlighted == set(project.selection))
        return project.selection

    assert press(Qt.Key.Key_Right) == ("conv2d_1",)
    assert press(Qt.Key.Key_Right) == ("max_pooling2d_1",)
    assert press(Qt.Key.Key_Left) == ("conv2d_1",)
    assert press(Qt.Key.Key_End) == ("dense_2",)
    assert press(Qt.Key.Key_Right) == ("dense_2",)
    assert press(Qt.Key.Key_Home) == ("conv2d_1",)


def test_keys_and_buttons_zoom(qtbot: QtBot, view: DrawingView) -> None:
    fitted = view.canvas.scale
    qtbot.keyClicks(view.canvas, "++")
    larger = view.canvas.scale
    assert larger > fitted
    qtbot.mouseClick(view.findChild(QToolButton, "zoomOut"), Qt.MouseButton.LeftButton)
    assert fitted < view.canvas.scale < larger
    qtbot.keyClicks(view.canvas, "0")
    assert view.canvas.scale == fitted


def test_a_drag_pans_the_drawing_and_selects_nothing(
    qtbot: QtBot, project: Project, view: DrawingView
) -> None:
    qtbot.keyClicks(view.canvas, "+++++")
    bar, content = view.canvas.horizontalScrollBar(), view.canvas.widget()
    bar.setValue(200)
    start = center_of(view, "conv2d_1")
    qtbot.mousePress(content, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(content, start - QPoint(60, 0))
    qtbot.mouseRelease(content, Qt.MouseButton.LeftButton, pos=start)
    assert bar.value() > 200
    assert project.selection == ()


def test_the_drawing_uses_the_colors_of_the_scheme(qtbot: QtBot, view: DrawingView) -> None:
    def colors() -> set[str]:
        image = view.canvas.widget().grab().toImage()
        size = image.size()
        return {
            image.pixelColor(x, y).name().upper()
            for x in range(0, size.width(), 2)
            for y in range(0, size.height(), 2)
        }

    theme().set_scheme("light")
    assert TOKENS["text"][0] in colors()
    theme().set_scheme("dark")
    assert TOKENS["text"][1] in colors()
    theme().set_scheme("light")


# Saving to a file


def test_it_is_saved_as_svg(
    project: Project, view: DrawingView, choose_file: ChooseFile, tmp_path: Path
) -> None:
    choose_file(str(tmp_path / "net.svg"), "SVG, dark (*.svg)")
    view.findChild(QToolButton, "saveDrawing").click()
    text = (tmp_path / "net.svg").read_text("utf-8")
    assert text.startswith("<svg")
    assert TOKENS["panel"][1] in text


def test_it_is_saved_as_a_sharp_png(project: Project, choose_file: ChooseFile, tmp_path: Path) -> None:
    choose_file(str(tmp_path / "net"), "PNG, light (*.png)")
    save_drawing_as(None, project)
    image = QImage(str(tmp_path / "net.png"))
    assert image.width() > 1200
    assert image.pixelColor(1, 1).name().upper() == TOKENS["panel"][0]


def test_a_failed_save_shows_a_message(project: Project, choose_file: ChooseFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    choose_file(str(tmp_path / "file" / "net.svg"), "SVG, light (*.svg)")
    messages: list[str] = []
    project.message.connect(messages.append)
    save_drawing_as(None, project)
    assert len(messages) == 1
    assert "Cannot write" in messages[0]


def test_a_canceled_dialog_writes_nothing(project: Project, choose_file: ChooseFile, tmp_path: Path) -> None:
    choose_file("", "")
    save_drawing_as(None, project)
    assert list(tmp_path.glob("**/*.svg")) == []
