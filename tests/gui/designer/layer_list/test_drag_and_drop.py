"""Drag and drop by Qt events: where the line is, what a drop does, and what is rejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer.drag_pixmap import drag_pixmap
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.project import Project
from tests.gui.designer.conftest import DragSimulator

PaletteData = Callable[[str], QMimeData]


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    return show(project).tree


@pytest.fixture
def dragger(tree: LayerTree) -> DragSimulator:
    return DragSimulator(tree)


def place_in(project: Project, node_id: str) -> Place:
    return project.network.place(node_id)


@pytest.mark.parametrize(
    ("row", "fraction", "x", "place", "depth"),
    [
        (None, 0.1, 220, Place(None, 0), 0),
        (None, 0.9, 220, Place(None, 0), 0),
        ("conv2d_1", 0.2, 220, Place(None, 0), 0),
        ("conv2d_1", 0.8, 220, Place(None, 1), 0),
        # an expanded group: above it, or as its first layer
        ("residual_1", 0.2, 220, Place(None, 1), 0),
        ("residual_1", 0.8, 220, Place("residual_1", 0), 1),
        ("conv2d_2", 0.8, 220, Place("residual_1", 1), 1),
        # the last layer of two groups that end together: in the inner one, in the outer one, after both
        ("dropout_1", 0.8, 220, Place("repeat_1", 1), 2),
        ("dropout_1", 0.8, 30, Place("residual_1", 2), 1),
        ("dropout_1", 0.8, 5, Place(None, 2), 0),
        ("flatten_1", 0.2, 220, Place(None, 2), 0),
        # an empty group: above, inside, below
        ("repeat_2", 0.1, 220, Place(None, 3), 0),
        ("repeat_2", 0.5, 220, Place("repeat_2", 0), 1),
        ("repeat_2", 0.9, 220, Place(None, 4), 0),
    ],
)
def test_the_line_marks_where_the_drop_lands(
    dragger: DragSimulator, tree: LayerTree, project: Project, palette_data: PaletteData,
    row: str | None, fraction: float, x: int, place: Place, depth: int,
) -> None:  # fmt: skip
    data, position = palette_data("Dropout"), dragger.point(row, fraction, x)
    assert dragger.drag_over(data, position)
    assert tree.drop_target is not None
    assert (tree.drop_target.place, tree.drop_target.depth) == (place, depth)
    dragger.drop(data, position)
    assert place_in(project, "dropout_2") == place
    assert tree.drop_target is None


def test_a_drop_below_all_rows_appends_the_layer(
    dragger: DragSimulator, project: Project, tree: LayerTree, palette_data: PaletteData
) -> None:
    dragger.drop(palette_data("Dense"), QPoint(200, tree.viewport().height() - 5))
    assert project.network.nodes[-1].id == "dense_1"


def test_a_drop_into_an_empty_design_adds_the_first_layer(
    dragger: DragSimulator, project: Project, tree: LayerTree, palette_data: PaletteData
) -> None:
    project.open_network(Network(), None)
    dragger.drop(palette_data("Conv2D"), QPoint(200, 300))
    assert [node.id for node in project.network.nodes] == ["conv2d_1"]


def test_a_drop_on_a_collapsed_group_goes_inside_and_expands_it(
    dragger: DragSimulator, project: Project, tree: LayerTree, palette_data: PaletteData
) -> None:
    tree.collapseAll()
    dragger.drop(palette_data("Flatten"), dragger.point("residual_1"))
    assert place_in(project, "flatten_2") == Place("residual_1", 2)
    assert tree.visualRect(tree.model().index_of("flatten_2")).isValid()  # type: ignore[attr-defined]  # our model


def test_a_drop_is_one_undo_step_and_selects_the_new_layer(
    dragger: DragSimulator, project: Project, palette_data: PaletteData
) -> None:
    dragger.drop(palette_data("Flatten"), dragger.point("conv2d_1", 0.9))
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "add Flatten"
    assert project.selection == ("flatten_2",)


def test_dragging_a_layer_of_the_list_moves_it(dragger: DragSimulator, project: Project) -> None:
    action = dragger.drop(dragger.layer_data("flatten_1"), dragger.point("conv2d_1", 0.1), move=True)
    assert action == Qt.DropAction.MoveAction
    assert place_in(project, "flatten_1") == Place(None, 0)
    assert project.undo_stack.undoText() == "move Flatten"


def test_several_layers_move_together_into_a_group(dragger: DragSimulator, project: Project) -> None:
    project.select(["conv2d_1", "flatten_1"])
    dragger.drop(dragger.layer_data("conv2d_1", "flatten_1"), dragger.point("repeat_2"), move=True)
    assert [node.id for node in project.network.children("repeat_2")] == ["conv2d_1", "flatten_1"]
    assert project.undo_stack.undoText() == "move 2 layers"
    assert project.selection == ("conv2d_1", "flatten_1")


def test_dragging_with_ctrl_copies(dragger: DragSimulator, project: Project) -> None:
    action = dragger.drop(dragger.layer_data("flatten_1"), dragger.point("conv2d_1", 0.1), copy=True)
    assert action == Qt.DropAction.CopyAction
    assert [node.id for node in project.network.nodes][:2] == ["flatten_2", "conv2d_1"]
    assert "flatten_1" in project.network


def test_a_drop_at_the_same_place_changes_nothing(dragger: DragSimulator, project: Project) -> None:
    dragger.drop(dragger.layer_data("flatten_1"), dragger.point("flatten_1", 0.1), move=True)
    assert project.undo_stack.count() == 0


def test_a_rejected_drop_says_why(dragger: DragSimulator, project: Project, tree: LayerTree) -> None:
    assert not dragger.drag_over(dragger.layer_data("residual_1"), dragger.point("dropout_1"), move=True)
    assert tree.drop_error == "Residual cannot be moved into itself"
    dragger.leave()
    assert (tree.drop_target, tree.drop_error) == (None, None)


def test_a_drag_may_pass_over_places_that_reject_it(
    dragger: DragSimulator, project: Project, tree: LayerTree
) -> None:
    data = dragger.layer_data("residual_1")
    dragger.drag_over(data, dragger.point("dropout_1"), move=True)
    dragger.drop(data, dragger.point("flatten_1", 0.9), move=True)
    assert place_in(project, "residual_1") == Place(None, 2)


def test_data_other_than_layers_is_left_to_the_window(dragger: DragSimulator, tree: LayerTree) -> None:
    data = QMimeData()
    data.setText("hello")
    assert not dragger.drag_over(data, dragger.point("conv2d_1"))
    assert (tree.drop_target, tree.drop_error) == (None, None)


def test_the_drop_target_is_painted(
    dragger: DragSimulator, tree: LayerTree, palette_data: PaletteData
) -> None:
    images = [tree.grab().toImage()]
    for point in (dragger.point("conv2d_1", 0.9), dragger.point("repeat_2")):
        dragger.drag_over(palette_data("Dropout"), point)
        images.append(tree.grab().toImage())
    dragger.drag_over(dragger.layer_data("residual_1"), dragger.point("dropout_1"), move=True)
    images.append(tree.grab().toImage())
    assert all(one != other for index, one in enumerate(images) for other in images[:index])


def test_the_drag_pixmap_shows_what_is_dragged(nested: Network, qapp: QApplication) -> None:
    one, three = drag_pixmap(nested.nodes[:1], 2.0), drag_pixmap(nested.nodes[:3], 2.0)
    assert one.devicePixelRatio() == 2.0
    assert one.toImage() != three.toImage()


@pytest.fixture
def dragged(monkeypatch: pytest.MonkeyPatch) -> list[QMimeData]:
    """The data of all drags; the drags themselves end at once, as if canceled."""
    dragged: list[QMimeData] = []

    def end_at_once(drag: QDrag, *_: object) -> Qt.DropAction:
        copy = QMimeData()
        for form in drag.mimeData().formats():
            copy.setData(form, drag.mimeData().data(form))
        dragged.append(copy)
        return Qt.DropAction.IgnoreAction

    monkeypatch.setattr(QDrag, "exec", end_at_once)
    return dragged


def drag_from(qtbot: QtBot, widget: object, start: QPoint) -> None:
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for distance in (5, 15, 30):
        qtbot.mouseMove(widget, start + QPoint(distance, distance))
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 30))


def test_a_type_dragged_from_the_palette_lands_in_the_list(
    qtbot: QtBot, dragger: DragSimulator, project: Project, dragged: list[QMimeData]
) -> None:
    palette = Palette(project)
    palette.families.set_folded(())
    qtbot.addWidget(palette)
    with qtbot.waitExposed(palette):
        palette.show()
    item = palette.types.findItems("Dropout", Qt.MatchFlag.MatchExactly)[0]
    palette.types.scrollToItem(item)
    drag_from(qtbot, palette.types.viewport(), palette.types.visualItemRect(item).center())
    assert len(dragged) == 1
    dragger.drop(dragged[0], dragger.point("conv2d_1", 0.9))
    assert project.network.nodes[1].id == "dropout_2"


def test_a_drag_from_the_list_takes_the_whole_selection(
    qtbot: QtBot, dragger: DragSimulator, tree: LayerTree, project: Project, dragged: list[QMimeData]
) -> None:
    project.select(["conv2d_1", "flatten_1"])
    drag_from(qtbot, tree.viewport(), dragger.point("flatten_1"))
    dragger.drop(dragged[0], dragger.point("repeat_2"), move=True)
    assert [node.id for node in project.network.children("repeat_2")] == ["conv2d_1", "flatten_1"]
