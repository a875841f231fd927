"""Commands and actions: each is one undo step, and actions are enabled only if they apply."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.catalog import layer_type


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def enabled(project: Project, window: QWidget) -> set[str]:
    return {name for name, action in design_actions(project, window).by_name.items() if action.isEnabled()}


def test_the_actions_have_the_documented_object_names(project: Project, window: QWidget) -> None:
    verbs = ("Undo", "Redo", "Cut", "Copy", "Paste", "Duplicate", "Delete")
    made = design_actions(project, window).by_name
    assert {f"action{verb}" for verb in verbs} <= set(made)
    assert all(action.objectName() == name for name, action in made.items())


def test_there_is_one_set_of_actions_for_a_project(project: Project, window: QWidget) -> None:
    first, second = design_actions(project, window), design_actions(project, QWidget(window))
    assert all(action is second[name] for name, action in first.by_name.items())


def test_no_two_actions_share_a_shortcut(project: Project, window: QWidget) -> None:
    keys = [key.toString() for action in design_actions(project, window).all for key in action.shortcuts()]
    assert len(keys) == len(set(keys))


def test_keys_that_text_fields_need_are_not_window_shortcuts(project: Project, window: QWidget) -> None:
    design_actions(project, window)
    keys = {key.toString() for action in window.actions() for key in action.shortcuts()}
    assert keys.isdisjoint({"Del", "Backspace", "Space", "F2"})
    assert {"Ctrl+Z", "Ctrl+C", "F8"} <= keys


def test_only_actions_that_apply_are_enabled(project: Project, window: QWidget) -> None:
    anywhere = {"actionPaste", "actionInsert", "actionSelectAll", "actionOpenGroups", "actionCloseGroups"}
    assert enabled(project, window) == anywhere
    project.select(["conv2d_1"])
    assert {"actionCopy", "actionDelete", "actionRename", "actionWrapResidual"} <= enabled(project, window)
    assert "actionUnwrap" not in enabled(project, window)
    project.select(["residual_1"])
    assert "actionUnwrap" in enabled(project, window)
    project.select(["residual_1", "conv2d_1"])
    assert "actionRename" not in enabled(project, window)


def test_the_undo_action_names_the_step(project: Project, window: QWidget) -> None:
    project.select(["conv2d_1"])
    made = design_actions(project, window)
    made["actionDuplicate"].trigger()
    assert made["actionUndo"].text().replace("&", "") == "Undo duplicate Conv2D"
    made["actionUndo"].trigger()
    assert made["actionRedo"].text().replace("&", "") == "Redo duplicate Conv2D"


def test_layers_are_wrapped_and_unwrapped(project: Project, window: QWidget, nested: Network) -> None:
    project.select(["conv2d_1", "residual_1"])
    made = design_actions(project, window)
    made["actionWrapRepeat"].trigger()
    assert project.selection == ("repeat_3",)
    assert [node.id for node in project.network.children("repeat_3")] == ["conv2d_1", "residual_1"]
    made["actionUnwrap"].trigger()
    assert project.network == nested
    assert project.selection == ("conv2d_1", "residual_1")


def test_an_impossible_action_shows_a_message(qtbot: QtBot, project: Project, window: QWidget) -> None:
    project.select(["conv2d_1", "flatten_1"])
    with qtbot.waitSignal(project.message) as message:
        design_actions(project, window)["actionWrapResidual"].trigger()
    assert message.args == ["only adjacent layers can be grouped"]
    assert project.undo_stack.count() == 0


def test_toggling_disables_unless_all_layers_are_disabled(project: Project, window: QWidget) -> None:
    project.select(["conv2d_1", "flatten_1"])
    made = design_actions(project, window)
    made["actionToggleEnabled"].trigger()
    assert made["actionToggleEnabled"].text() == "&Enable"
    project.select(["conv2d_1", "residual_1"])
    assert made["actionToggleEnabled"].text() == "&Disable"
    made["actionToggleEnabled"].trigger()
    assert not project.network.node("residual_1").enabled
    assert project.undo_stack.undoText() == "disable 2 layers"


def test_the_fix_of_the_selected_layer_takes_precedence(project: Project, window: QWidget) -> None:
    fresh = Network().fresh_ids()
    kinds = (("Conv2D", {"groups": 2}), ("Dense", {}), ("Flatten", {}))
    nodes = tuple(fresh.node(layer_type(name)(**values)) for name, values in kinds)
    project.open_network(Network(nodes=nodes), None)
    fix = design_actions(project, window)["actionFix"]
    assert fix.text() == "&Fix: Set groups to 1"
    project.select(["dense_1"])
    assert fix.text() == "&Fix: Insert Flatten"
    fix.trigger()
    assert project.network.place("flatten_2").index == 1


def test_fixing_the_end_of_a_network_adds_the_missing_layers(project: Project, window: QWidget) -> None:
    project.open_network(Network(nodes=(Network().fresh_ids().node(layer_type("Conv2D")()),)), None)
    project.set_dataset("shapes", 10)
    design_actions(project, window)["actionFix"].trigger()
    assert [node.id for node in project.network.nodes] == ["conv2d_1", "flatten_1", "dense_1"]
    assert project.selection == ("flatten_1", "dense_1")
    assert project.analysis.problems == ()


def test_deleting_the_last_layer_of_a_group_selects_the_group(project: Project) -> None:
    project.select(["dropout_1"])
    commands.delete(project)
    assert project.selection == ("repeat_1",)


def test_moving_up_at_the_top_or_down_at_the_bottom_changes_nothing(project: Project) -> None:
    project.select(["conv2d_1"])
    commands.move_up(project)
    project.select(["repeat_2"])
    commands.move_down(project)
    assert project.undo_stack.count() == 0


def test_an_empty_design_name_is_ignored(project: Project) -> None:
    commands.rename_design(project, "  ")
    assert project.undo_stack.count() == 0
    commands.rename_design(project, " My\nnet ")
    assert project.network.name == "My net"
