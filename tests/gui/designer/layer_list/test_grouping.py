"""Moving layers into and out of groups, and wrapping them, by keys; each is one undo step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.design.text.shorthand import parse_shorthand
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Group
from cnnstudio.layers.catalog import layer_types

KEY = Qt.Key
NONE, CTRL, ALT, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    tree = show(project).tree
    tree.setFocus()
    return tree


def inside(project: Project, parent: str | None) -> list[str]:
    return [node.id for node in project.network.children(parent)]


def test_indenting_moves_a_layer_to_the_end_of_the_group_above(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["flatten_1"])
    qtbot.keyClick(tree, KEY.Key_BracketRight, CTRL)
    assert inside(project, "residual_1") == ["conv2d_2", "repeat_1", "flatten_1"]
    assert project.undo_stack.undoText() == "move Flatten into Residual"
    assert project.selection == ("flatten_1",)


def test_indenting_without_a_group_above_moves_to_the_top_of_the_group_below(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(tree, KEY.Key_BracketRight, CTRL)
    assert inside(project, "residual_1") == ["conv2d_1", "conv2d_2", "repeat_1"]


def test_indenting_without_an_adjacent_group_is_an_error(qtbot: QtBot, lesson: Network) -> None:
    project = Project(lesson)
    project.select(["conv2d_2"])
    with pytest.raises(edits.EditError, match="no group next to Conv2D"):
        commands.indent(project)


def test_outdenting_moves_the_last_layer_below_its_group_and_the_first_above(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["repeat_1"])
    qtbot.keyClick(tree, KEY.Key_BracketLeft, CTRL)
    assert inside(project, None)[:3] == ["conv2d_1", "residual_1", "repeat_1"]
    assert project.undo_stack.undoText() == "move Repeat out of Residual"
    project.undo_stack.undo()
    project.select(["conv2d_2"])
    qtbot.keyClick(tree, KEY.Key_BracketLeft, CTRL)
    assert inside(project, None)[:3] == ["conv2d_1", "conv2d_2", "residual_1"]


def test_outdenting_reverses_indenting(project: Project) -> None:
    before = project.network
    project.select(["flatten_1"])
    commands.indent(project)
    commands.outdent(project)
    assert project.network == before


def test_outdenting_a_layer_that_is_not_in_a_group_is_an_error(project: Project) -> None:
    project.select(["conv2d_1"])
    with pytest.raises(edits.EditError, match="Conv2D is not in a group"):
        commands.outdent(project)


GROUPS = [kind for kind in layer_types().values() if issubclass(kind, Group)]


@pytest.mark.parametrize(("number", "kind"), enumerate(GROUPS, start=1))
def test_ctrl_alt_and_a_digit_wrap_the_selection_and_ctrl_0_unwraps(
    qtbot: QtBot, lesson: Network, show: Callable[[Project], LayerList], number: int, kind: type[Group]
) -> None:
    project = Project(lesson)
    tree = show(project).tree
    tree.setFocus()
    project.select(["conv2d_1"])
    qtbot.keyClick(tree, KEY.Key_Down, SHIFT)
    qtbot.keyClick(tree, Qt.Key(KEY.Key_0 + number), CTRL | ALT)
    (group,) = project.selection
    assert isinstance(project.network.node(group).layer, kind)
    assert inside(project, group) == ["conv2d_1", "max_pooling2d_1"]
    assert project.undo_stack.undoText() == f"wrap 2 layers in {kind.type_name()}"
    qtbot.keyClick(tree, KEY.Key_0, CTRL)
    assert project.network == lesson


def test_ctrl_a_selects_all_layers_and_escape_none(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    qtbot.keyClick(tree, KEY.Key_A, CTRL)
    assert set(project.selection) == {node.id for node in project.network.walk()}
    qtbot.keyClick(tree, KEY.Key_Escape)
    assert project.selection == ()


def test_shift_extends_the_selection_and_ctrl_adds_to_it(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["conv2d_1"])
    for key, modifier in ((KEY.Key_Down, CTRL), (KEY.Key_Down, CTRL), (KEY.Key_Space, CTRL)):
        qtbot.keyClick(tree, key, modifier)
    assert project.selection == ("conv2d_1", "conv2d_2")
    project.select(["conv2d_1"])
    qtbot.keyClick(tree, KEY.Key_End, SHIFT)
    assert len(project.selection) == len(project.network)


def test_groups_expand_and_collapse_by_keys(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    outer, inner = tree.model().index_of("residual_1"), tree.model().index_of("repeat_1")  # type: ignore[attr-defined]  # our model
    qtbot.keyClick(tree, KEY.Key_Left, SHIFT)
    assert not tree.isExpanded(outer)
    qtbot.keyClick(tree, KEY.Key_Right, SHIFT)
    assert tree.isExpanded(outer)
    assert tree.isExpanded(inner)
    project.select(["residual_1"])
    qtbot.keyClick(tree, KEY.Key_Left)
    assert not tree.isExpanded(outer)
    qtbot.keyClick(tree, KEY.Key_Right)
    assert tree.isExpanded(outer)


def test_branches_are_numbered_on_screen_and_for_screen_readers(
    project: Project, show: Callable[[Project], LayerList]
) -> None:
    nodes = parse_shorthand("parallel(conv 8 same, block(conv 4 same, relu))", IdGenerator())
    project.open_network(Network(nodes=tuple(nodes)), None)
    tree = show(project).tree
    group = project.network.nodes[0]
    rows = [tree._row(tree._model.index_of(child.id)) for child in group.children]  # what is painted
    assert [row.branch for row in rows] == [1, 2]
    second = tree._model.index_of(group.children[1].id)
    assert second.data(Qt.ItemDataRole.AccessibleTextRole).startswith("Branch 2 in Parallel, Block, ")
    deeper = tree._model.index_of(group.children[1].children[0].id)
    assert deeper.data(Qt.ItemDataRole.AccessibleTextRole).startswith("Layer 1 in Block, Conv2D")
    assert tree._row(deeper).branch is None
