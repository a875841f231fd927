"""Rows slide only when layers move, and not at all if the user prefers reduced motion."""

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
    return tree._animation.offset(tree._model.index_of(node_id).internalId())  # what the row is painted with


def test_moved_rows_slide_from_their_old_place(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.move_down(project)
    height = tree.visualRect(tree._model.index_of("conv2d_1")).height()
    assert offset(tree, "conv2d_1") == -height
    assert offset(tree, "max_pooling2d_1") == height
    assert offset(tree, "dense_2") == 0
    qtbot.waitUntil(lambda: not tree._animation.is_running)
    assert offset(tree, "conv2d_1") == 0


def test_inserted_and_removed_rows_do_not_slide(project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.duplicate(project)
    commands.delete(project)
    assert not tree._animation.is_running


def test_undo_slides_back(project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    commands.move_down(project)
    project.undo_stack.undo()
    assert offset(tree, "conv2d_1") > 0


def test_rows_do_not_slide_with_reduced_motion(
    project: Project, tree: LayerTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_animation, "animations_enabled", lambda: False)
    project.select(["conv2d_1"])
    commands.move_down(project)
    assert not tree._animation.is_running


def test_the_system_setting_can_be_read(qtbot: QtBot) -> None:
    assert row_animation.animations_enabled() in (True, False)
