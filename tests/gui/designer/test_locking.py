"""Locking layers in the layer list: by key and from the row's menu, undone like any other edit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from cnnstudio.design.network import Network
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.row_content import accessible_row_text, layer_row
from cnnstudio.gui.designer.selection_info import selection_info
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import ElidedLabel


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def layers(project: Project, show: Callable[[Project], LayerList]) -> LayerList:
    return show(project)


def _is_locked(project: Project, node_id: str) -> bool:
    report = project.analysis[node_id]
    row = layer_row(project, report, "parameters", False, False)
    assert ("locked" in accessible_row_text(project, report).split(", ")) == row.is_locked
    return row.is_locked


def test_one_key_locks_the_selected_layers_and_another_press_unlocks_them(
    project: Project, layers: LayerList
) -> None:
    project.select(["conv2d_1", "residual_1"])
    layers.tree.setFocus()
    QTest.keyClick(layers.tree, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert _is_locked(project, "conv2d_1")
    inside = project.network.node("residual_1").children[0].id
    assert _is_locked(project, inside)
    assert project.undo_stack.undoText() == "lock 2 layers"
    QTest.keyClick(layers.tree, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert not project.network.locked_ids
    project.undo_stack.undo()
    assert _is_locked(project, inside)
    project.undo_stack.undo()
    assert not project.network.locked_ids


def test_the_menu_says_what_it_will_do(project: Project, layers: LayerList) -> None:
    project.select(["conv2d_1"])
    menu = {action.objectName(): action for action in layers.tree.context_menu().actions()}
    assert menu["actionToggleLocked"].text() == "&Lock"
    menu["actionToggleLocked"].trigger()
    menu = {action.objectName(): action for action in layers.tree.context_menu().actions()}
    assert menu["actionToggleLocked"].text() == "Un&lock"


def test_a_layer_in_a_locked_group_is_unlocked_alone(project: Project, layers: LayerList) -> None:
    first, *others = [node.id for node in project.network.node("residual_1").children]
    lock = design_actions(project, layers).by_name["actionToggleLocked"]
    project.select(["residual_1"])
    lock.trigger()
    project.select([first])
    assert selection_info(project).subtitle.endswith("locked by its group")
    lock.trigger()
    assert not _is_locked(project, first)
    assert all(_is_locked(project, each) for each in others)
    assert not _is_locked(project, "residual_1")


def test_the_totals_say_how_much_learns(project: Project, layers: LayerList) -> None:
    totals = layers.findChild(ElidedLabel, "designTotals")
    assert totals is not None
    project.select(["conv2d_1"])
    design_actions(project, layers).by_name["actionToggleLocked"].trigger()
    text = f"{project.analysis.trainable_parameters:,} trainable"
    assert text in totals.full_text
    project.undo_stack.undo()
    assert "trainable" not in totals.full_text
