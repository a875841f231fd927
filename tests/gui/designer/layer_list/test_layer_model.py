"""The item model: valid by Qt's model tester while networks change; drops, renames, texts of rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from PySide6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import Network, Node, Place
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.catalog import layer_type
from tests.strategies import networks

MOVE, COPY = Qt.DropAction.MoveAction, Qt.DropAction.CopyAction
ACCESSIBLE = Qt.ItemDataRole.AccessibleTextRole
ID = Qt.ItemDataRole.UserRole
ROOT_INDEX = QModelIndex()


def rows_of(model: LayerModel, parent: QModelIndex = ROOT_INDEX) -> list[object]:
    """The rows below `parent`, as nested lists of ids."""
    indexes = [model.index(row, 0, parent) for row in range(model.rowCount(parent))]
    return [[index.data(ID), rows_of(model, index)] for index in indexes]


def expected(network: Network) -> list[object]:
    def below(parent: str | None) -> list[object]:
        return [[node.id, below(node.id)] for node in network.children(parent)]

    return [[None, []], *below(None)]


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def model(project: Project, qtbot: QtBot) -> LayerModel:
    return LayerModel(project)


@given(networks(), networks(), networks())
def test_any_change_of_the_network_is_announced_correctly(
    first: Network, second: Network, third: Network
) -> None:
    project = Project(first)
    model = LayerModel(project)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    for network in (second, third):
        project.edit("edit", network)
        assert rows_of(model) == expected(project.network)
    project.undo_stack.setIndex(0)
    assert rows_of(model) == expected(first)
    project.open_network(second, None)
    assert rows_of(model) == expected(second)
    assert tester.model() is model


def test_the_input_is_the_first_row(model: LayerModel) -> None:
    assert model.index(0, 0).data() == "Input"
    assert model.index(0, 0).data(ID) is None
    assert model.index(1, 0).data(ID) == "conv2d_1"


def test_a_moved_row_keeps_its_persistent_index(project: Project, model: LayerModel) -> None:
    index = QPersistentModelIndex(model.index_of("conv2d_2"))
    project.edit("move", edits.move(project.network, ["conv2d_2"], Place(None, 0)))
    assert index.isValid()
    assert (index.data(ID), index.row(), index.parent().isValid()) == ("conv2d_2", 1, False)


def test_only_groups_accept_drops_and_only_layers_can_be_dragged_or_renamed(model: LayerModel) -> None:
    flags = Qt.ItemFlag
    group, layer, top = model.index_of("residual_1"), model.index_of("conv2d_1"), model.index(0, 0)
    assert model.flags(group) & flags.ItemIsDropEnabled
    assert not model.flags(layer) & flags.ItemIsDropEnabled
    assert model.flags(layer) & flags.ItemIsDragEnabled
    assert model.flags(layer) & flags.ItemIsEditable
    assert not model.flags(top) & (flags.ItemIsDragEnabled | flags.ItemIsEditable | flags.ItemIsDropEnabled)


def test_an_id_may_belong_to_a_group_in_one_design_and_a_layer_in_the_next(
    project: Project, model: LayerModel
) -> None:
    def accepts_drops() -> bool:
        return bool(model.flags(model.index_of("repeat_1")) & Qt.ItemFlag.ItemIsDropEnabled)

    project.open_network(Network(nodes=(Node("repeat_1", layer_type("Repeat")()),)), None)
    assert accepts_drops()
    project.open_network(Network(nodes=(Node("repeat_1", layer_type("Flatten")()),)), None)
    assert not accepts_drops()


def test_the_accessible_text_describes_the_whole_row(lesson: Network, qtbot: QtBot) -> None:
    model = LayerModel(Project(lesson))
    assert model.index(3, 0).data(ACCESSIBLE) == (
        "Layer 3, Conv2D, 64 filters 3 by 3, relu, output 64 by 13 by 13, 18,496 parameters, no problems"
    )


def test_the_accessible_text_of_a_faulty_row_includes_the_problem(faulty: Network, qtbot: QtBot) -> None:
    model = LayerModel(Project(faulty))
    spoken = model.index_of("dense_1").data(ACCESSIBLE)
    assert "Dense takes a flat vector" in spoken
    assert "insert Flatten before it" in spoken
    assert "insert Flatten" in model.index_of("dense_1").data(Qt.ItemDataRole.ToolTipRole)


def test_the_accessible_text_says_what_is_unknown(faulty: Network, qtbot: QtBot) -> None:
    model = LayerModel(Project(faulty))
    texts = [model.index_of(each).data(ACCESSIBLE) for each in ("dense_1", "dense_2")]
    assert "output unknown, unknown number of parameters" in texts[0]
    assert "output 10, 1,290 parameters" in texts[1]


def test_the_accessible_text_mentions_the_group_and_a_disabled_layer(
    project: Project, model: LayerModel
) -> None:
    assert model.index_of("conv2d_2").data(ACCESSIBLE).startswith("Layer 1 in Residual, Conv2D")
    project.edit("disable", edits.replace(project.network, "flatten_1", enabled=False))
    assert "disabled" in model.index_of("flatten_1").data(ACCESSIBLE)


def test_the_input_row_names_the_data_set(project: Project, model: LayerModel) -> None:
    project.set_dataset("cifar10", 10, "CIFAR-10")
    assert model.input_index().data(ACCESSIBLE) == "Input, color image from CIFAR-10, 3 by 32 by 32"


def test_renaming_a_row_is_an_undo_step(project: Project, model: LayerModel) -> None:
    assert model.setData(model.index_of("conv2d_1"), "stem")
    assert project.network.node("conv2d_1").name == "stem"
    assert project.undo_stack.undoText() == "rename Conv2D"
    model.setData(model.index_of("conv2d_1"), "  ")
    assert project.network.node("conv2d_1").name is None


def test_the_model_does_not_remove_or_move_rows_itself(model: LayerModel) -> None:
    assert not model.removeRows(1, 1)
    assert not model.moveRows(ROOT_INDEX, 1, 1, ROOT_INDEX, 3)


def test_dropping_layers_of_the_model_moves_them_in_one_undo_step(
    project: Project, model: LayerModel
) -> None:
    data = model.mimeData([model.index_of("flatten_1")])
    assert model.dropMimeData(data, MOVE, 1, 0, ROOT_INDEX)
    assert [node.id for node in project.network.nodes][:2] == ["flatten_1", "conv2d_1"]
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "move Flatten"
    assert project.selection == ("flatten_1",)


def test_a_copy_drop_inserts_copies(project: Project, model: LayerModel) -> None:
    before = len(project.network)
    data = model.mimeData([model.index_of("residual_1"), model.index_of("conv2d_2")])
    assert model.dropMimeData(data, COPY, -1, 0, ROOT_INDEX)
    assert len(project.network) == before + 4, "layers in a copied group are not copied a second time"
    assert project.undo_stack.count() == 1


@pytest.mark.parametrize(
    ("row", "parent", "place"),
    [
        (0, None, Place(None, 0)),
        (1, None, Place(None, 0)),
        (3, None, Place(None, 2)),
        (-1, None, Place(None, 4)),
        (1, "residual_1", Place("residual_1", 1)),
        (-1, "residual_1", Place("residual_1", 2)),
        (-1, "repeat_2", Place("repeat_2", 0)),
        (-1, "conv2d_1", Place(None, 1)),
    ],
)
def test_row_and_parent_are_converted_to_a_place(
    model: LayerModel,
    palette_data: Callable[[str], QMimeData],
    project: Project,
    row: int,
    parent: str | None,
    place: Place,
) -> None:
    index = ROOT_INDEX if parent is None else model.index_of(parent)
    assert model.dropMimeData(palette_data("Dropout"), COPY, row, 0, index)
    added = next(node.id for node in project.network.walk() if node.id == "dropout_2")
    assert project.network.place(added) == place


def test_a_drop_on_the_input_inserts_the_first_layer(
    model: LayerModel, palette_data: Callable[[str], QMimeData], project: Project
) -> None:
    assert model.dropMimeData(palette_data("Dropout"), COPY, -1, 0, model.index(0, 0))
    assert project.network.nodes[0].id == "dropout_2"


def test_a_group_cannot_be_dropped_into_itself(project: Project, model: LayerModel, qtbot: QtBot) -> None:
    data = model.mimeData([model.index_of("residual_1")])
    inside = model.index_of("repeat_1")
    assert not model.canDropMimeData(data, MOVE, -1, 0, inside)
    with qtbot.waitSignal(project.message) as message:
        assert not model.dropMimeData(data, MOVE, -1, 0, inside)
    assert message.args == ["Residual cannot be moved into itself"]
    assert project.undo_stack.count() == 0


def test_dropping_anything_but_layers_is_an_error(project: Project, model: LayerModel, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setData("application/x-cnnstudio-layers+json", b"{")
    assert not model.canDropMimeData(data, COPY, -1, 0, ROOT_INDEX)
    with qtbot.waitSignal(project.message):
        assert not model.dropMimeData(data, COPY, -1, 0, ROOT_INDEX)
    assert model.drop_error(QMimeData(), COPY, Place(None, 0)) == "only layers can be dropped here"


def test_layers_dragged_from_another_window_are_copied(
    project: Project, model: LayerModel, nested: Network
) -> None:
    other = LayerModel(Project(nested))
    data = other.mimeData([other.index_of("conv2d_1")])
    before = len(project.network)
    assert model.dropMimeData(data, MOVE, -1, 0, ROOT_INDEX)
    assert len(project.network) == before + 1
