"""Drag and drop by the events that Qt sends: where the line stands, what a drop does, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer.drag_pixmap import chip
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.project import Project
from tests.gui.designer.conftest import Hand

New = Callable[[str], QMimeData]


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    return show(project).tree


@pytest.fixture
def hand(tree: LayerTree) -> Hand:
    return Hand(tree)


def place_of(project: Project, node_id: str) -> Place:
    return project.network.place(node_id)


@pytest.mark.parametrize(
    ("row", "part", "x", "place", "depth"),
    [
        (None, 0.1, 220, Place(None, 0), 0),
        (None, 0.9, 220, Place(None, 0), 0),
        ("conv2d_1", 0.2, 220, Place(None, 0), 0),
        ("conv2d_1", 0.8, 220, Place(None, 1), 0),
        # an open group: above it, or as the first in it
        ("residual_1", 0.2, 220, Place(None, 1), 0),
        ("residual_1", 0.8, 220, Place("residual_1", 0), 1),
        ("conv2d_2", 0.8, 220, Place("residual_1", 1), 1),
        # the last layer of two groups that end together: in the inner one, in the outer one, after both
        ("dropout_1", 0.8, 220, Place("repeat_1", 1), 2),
        ("dropout_1", 0.8, 40, Place("residual_1", 2), 1),
        ("dropout_1", 0.8, 5, Place(None, 2), 0),
        ("flatten_1", 0.2, 220, Place(None, 2), 0),
        # an empty group: above, in, below
        ("repeat_2", 0.1, 220, Place(None, 3), 0),
        ("repeat_2", 0.5, 220, Place("repeat_2", 0), 1),
        ("repeat_2", 0.9, 220, Place(None, 4), 0),
    ],
)
def test_the_line_stands_where_the_drop_lands(
    hand: Hand, tree: LayerTree, project: Project, new: New,
    row: str | None, part: float, x: int, place: Place, depth: int,
) -> None:  # fmt: skip
    data, position = new("Dropout"), hand.place(row, part, x)
    assert hand.over(data, position)
    assert tree.drop_target is not None
    assert (tree.drop_target.place, tree.drop_target.depth) == (place, depth)
    hand.drop(data, position)
    assert place_of(project, "dropout_2") == place
    assert tree.drop_target is None


def test_a_drop_below_all_rows_comes_last(hand: Hand, project: Project, tree: LayerTree, new: New) -> None:
    hand.drop(new("Dense"), QPoint(200, tree.viewport().height() - 5))
    assert project.network.nodes[-1].id == "dense_1"


def test_a_drop_into_an_empty_design_is_its_first_layer(
    hand: Hand, project: Project, tree: LayerTree, new: New
) -> None:
    project.open_network(Network(), None)
    hand.drop(new("Conv2D"), QPoint(200, 300))
    assert [node.id for node in project.network.nodes] == ["conv2d_1"]


def test_a_drop_on_a_closed_group_lands_in_it_and_is_seen(
    hand: Hand, project: Project, tree: LayerTree, new: New
) -> None:
    tree.collapseAll()
    hand.drop(new("Flatten"), hand.place("residual_1"))
    assert place_of(project, "flatten_2") == Place("residual_1", 2)
    assert tree.visualRect(tree.model().index_of("flatten_2")).isValid()  # type: ignore[attr-defined]  # our model


def test_a_drop_is_one_step_and_selects_what_was_dropped(hand: Hand, project: Project, new: New) -> None:
    hand.drop(new("Flatten"), hand.place("conv2d_1", 0.9))
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "add Flatten"
    assert project.selection == ("flatten_2",)


def test_layers_of_the_list_move(hand: Hand, project: Project) -> None:
    action = hand.drop(hand.held("flatten_1"), hand.place("conv2d_1", 0.1), move=True)
    assert action == Qt.DropAction.MoveAction
    assert place_of(project, "flatten_1") == Place(None, 0)
    assert project.undo_stack.undoText() == "move Flatten"


def test_several_layers_move_together_into_a_group(hand: Hand, project: Project) -> None:
    project.select(["conv2d_1", "flatten_1"])
    hand.drop(hand.held("conv2d_1", "flatten_1"), hand.place("repeat_2"), move=True)
    assert [node.id for node in project.network.children("repeat_2")] == ["conv2d_1", "flatten_1"]
    assert project.undo_stack.undoText() == "move 2 layers"
    assert project.selection == ("conv2d_1", "flatten_1")


def test_ctrl_copies(hand: Hand, project: Project) -> None:
    action = hand.drop(hand.held("flatten_1"), hand.place("conv2d_1", 0.1), copy=True)
    assert action == Qt.DropAction.CopyAction
    assert [node.id for node in project.network.nodes][:2] == ["flatten_2", "conv2d_1"]
    assert "flatten_1" in project.network


def test_a_drop_in_the_same_place_changes_nothing(hand: Hand, project: Project) -> None:
    hand.drop(hand.held("flatten_1"), hand.place("flatten_1", 0.1), move=True)
    assert project.undo_stack.count() == 0


def test_a_refused_drop_says_why(hand: Hand, project: Project, tree: LayerTree) -> None:
    assert not hand.over(hand.held("residual_1"), hand.place("dropout_1"), move=True)
    assert tree.drop_refusal == "Residual cannot be moved into itself"
    hand.leave()
    assert (tree.drop_target, tree.drop_refusal) == (None, None)


def test_the_way_to_a_good_place_leads_over_bad_ones(hand: Hand, project: Project, tree: LayerTree) -> None:
    data = hand.held("residual_1")
    hand.over(data, hand.place("dropout_1"), move=True)
    hand.drop(data, hand.place("flatten_1", 0.9), move=True)
    assert place_of(project, "residual_1") == Place(None, 2)


def test_other_things_are_left_to_the_window(hand: Hand, tree: LayerTree) -> None:
    data = QMimeData()
    data.setText("hello")
    assert not hand.over(data, hand.place("conv2d_1"))
    assert (tree.drop_target, tree.drop_refusal) == (None, None)


def test_the_target_is_drawn(hand: Hand, tree: LayerTree, new: New) -> None:
    images = [tree.grab().toImage()]
    for place in (hand.place("conv2d_1", 0.9), hand.place("repeat_2")):
        hand.over(new("Dropout"), place)
        images.append(tree.grab().toImage())
    hand.over(hand.held("residual_1"), hand.place("dropout_1"), move=True)
    images.append(tree.grab().toImage())
    assert all(one != other for place, one in enumerate(images) for other in images[:place])


def test_the_chip_tells_what_is_dragged(nested: Network, qapp: QApplication) -> None:
    one, three = chip(nested.nodes[:1], 2.0), chip(nested.nodes[:3], 2.0)
    assert one.devicePixelRatio() == 2.0
    assert one.toImage() != three.toImage()


@pytest.fixture
def dragged(monkeypatch: pytest.MonkeyPatch) -> list[QMimeData]:
    """What was dragged; the drags themselves end at once, as if given up."""
    taken: list[QMimeData] = []

    def end_at_once(drag: QDrag, *_: object) -> Qt.DropAction:
        copy = QMimeData()
        for form in drag.mimeData().formats():
            copy.setData(form, drag.mimeData().data(form))
        taken.append(copy)
        return Qt.DropAction.IgnoreAction

    monkeypatch.setattr(QDrag, "exec", end_at_once)
    return taken


def pull(qtbot: QtBot, widget: object, start: QPoint) -> None:
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for distance in (5, 15, 30):
        qtbot.mouseMove(widget, start + QPoint(distance, distance))
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 30))


def test_a_type_pulled_from_the_palette_lands_in_the_list(
    qtbot: QtBot, hand: Hand, project: Project, dragged: list[QMimeData]
) -> None:
    palette = Palette(project)
    qtbot.addWidget(palette)
    with qtbot.waitExposed(palette):
        palette.show()
    item = palette.types.findItems("Dropout", Qt.MatchFlag.MatchExactly)[0]
    palette.types.scrollToItem(item)
    pull(qtbot, palette.types.viewport(), palette.types.visualItemRect(item).center())
    assert len(dragged) == 1
    hand.drop(dragged[0], hand.place("conv2d_1", 0.9))
    assert project.network.nodes[1].id == "dropout_2"


def test_the_whole_selection_is_pulled_from_the_list(
    qtbot: QtBot, hand: Hand, tree: LayerTree, project: Project, dragged: list[QMimeData]
) -> None:
    project.select(["conv2d_1", "flatten_1"])
    pull(qtbot, tree.viewport(), hand.place("flatten_1"))
    hand.drop(dragged[0], hand.place("repeat_2"), move=True)
    assert [node.id for node in project.network.children("repeat_2")] == ["conv2d_1", "flatten_1"]
