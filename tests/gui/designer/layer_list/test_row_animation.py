"""Rows slide where layers moved, and nowhere else; not at all for those who want no motion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.layer_list import row_animation
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.document.project import Project


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    return show(project).tree


def offset(tree: LayerTree, node_id: str) -> int:
    return tree._motion.offset(tree._model.index_of(node_id).internalId())  # what the row is painted with


def test_moved_rows_come_from_where_they_were(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.step_down(project)
    height = tree.visualRect(tree._model.index_of("conv2d_1")).height()
    assert offset(tree, "conv2d_1") == -height
    assert offset(tree, "max_pooling2d_1") == height
    assert offset(tree, "dense_2") == 0
    qtbot.waitUntil(lambda: not tree._motion.is_running)
    assert offset(tree, "conv2d_1") == 0


def test_rows_that_come_and_go_do_not_slide(project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.duplicate(project)
    commands.delete(project)
    assert not tree._motion.is_running


def test_undo_slides_back(project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.step_down(project)
    project.undo_stack.undo()
    assert offset(tree, "conv2d_1") > 0


def test_nothing_slides_for_those_who_want_no_motion(
    project: Project, tree: LayerTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_animation, "wants_motion", lambda: False)
    project.select(["conv2d_1"])
    commands.step_down(project)
    assert not tree._motion.is_running


def test_the_system_says_whether_things_may_move(qtbot: QtBot) -> None:
    assert row_animation.wants_motion() in (True, False)
