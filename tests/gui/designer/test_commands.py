"""Commands and actions: what each does in one step, and which make sense when."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.actions import actions
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
    return {name for name, action in actions(project, window).items() if action.isEnabled()}


def test_the_actions_have_the_names_that_other_programs_know(project: Project, window: QWidget) -> None:
    verbs = ("Undo", "Redo", "Cut", "Copy", "Paste", "Duplicate", "Delete")
    made = actions(project, window)
    assert {f"action{verb}" for verb in verbs} <= set(made)
    assert all(action.objectName() == name for name, action in made.items())


def test_there_is_one_set_of_actions_for_a_project(project: Project, window: QWidget) -> None:
    first, second = actions(project, window), actions(project, QWidget(window))
    assert all(first[name] is second[name] for name in first)


def test_no_two_actions_share_a_key(project: Project, window: QWidget) -> None:
    keys = [key.toString() for action in actions(project, window).values() for key in action.shortcuts()]
    assert len(keys) == len(set(keys))


def test_keys_that_fields_need_are_not_the_windows(project: Project, window: QWidget) -> None:
    actions(project, window)
    keys = {key.toString() for action in window.actions() for key in action.shortcuts()}
    assert keys.isdisjoint({"Del", "Backspace", "Space", "F2"})
    assert {"Ctrl+Z", "Ctrl+C", "F8"} <= keys


def test_only_what_makes_sense_is_enabled(project: Project, window: QWidget) -> None:
    anywhere = {"actionPaste", "actionInsert", "actionSelectAll", "actionOpenGroups", "actionCloseGroups"}
    assert enabled(project, window) == anywhere
    project.select(["conv2d_1"])
    assert {"actionCopy", "actionDelete", "actionRename", "actionWrapResidual"} <= enabled(project, window)
    assert "actionUnwrap" not in enabled(project, window)
    project.select(["residual_1"])
    assert "actionUnwrap" in enabled(project, window)
    project.select(["residual_1", "conv2d_1"])
    assert "actionRename" not in enabled(project, window)


def test_undo_says_what_it_would_undo(project: Project, window: QWidget) -> None:
    project.select(["conv2d_1"])
    made = actions(project, window)
    made["actionDuplicate"].trigger()
    assert made["actionUndo"].text().replace("&", "") == "Undo duplicate Conv2D"
    made["actionUndo"].trigger()
    assert made["actionRedo"].text().replace("&", "") == "Redo duplicate Conv2D"


def test_layers_are_wrapped_and_unwrapped(project: Project, window: QWidget, nested: Network) -> None:
    project.select(["conv2d_1", "residual_1"])
    made = actions(project, window)
    made["actionWrapRepeat"].trigger()
    assert project.selection == ("repeat_3",)
    assert [node.id for node in project.network.children("repeat_3")] == ["conv2d_1", "residual_1"]
    made["actionUnwrap"].trigger()
    assert project.network == nested
    assert project.selection == ("conv2d_1", "residual_1")


def test_what_is_not_possible_is_said(qtbot: QtBot, project: Project, window: QWidget) -> None:
    project.select(["conv2d_1", "flatten_1"])
    with qtbot.waitSignal(project.message) as message:
        actions(project, window)["actionWrapResidual"].trigger()
    assert message.args == ["only layers that stand next to each other can be put into a group"]
    assert project.undo_stack.count() == 0


def test_switching_off_is_for_all_and_on_only_where_all_are_off(project: Project, window: QWidget) -> None:
    project.select(["conv2d_1", "flatten_1"])
    made = actions(project, window)
    made["actionToggleEnabled"].trigger()
    assert made["actionToggleEnabled"].text() == "Switch &on"
    project.select(["conv2d_1", "residual_1"])
    assert made["actionToggleEnabled"].text() == "Switch &off"
    made["actionToggleEnabled"].trigger()
    assert not project.network.node("residual_1").enabled
    assert project.undo_stack.undoText() == "switch off 2 layers"


def test_the_fix_of_the_selected_layer_comes_before_the_first(project: Project, window: QWidget) -> None:
    fresh = Network().fresh_ids()
    kinds = (("Conv2D", {"groups": 2}), ("Dense", {}), ("Flatten", {}))
    nodes = tuple(fresh.node(layer_type(name)(**values)) for name, values in kinds)
    project.open_network(Network(nodes=nodes), None)
    fix = actions(project, window)["actionFix"]
    assert fix.text() == "&Fix: Set groups to 1"
    project.select(["dense_1"])
    assert fix.text() == "&Fix: Insert Flatten"
    fix.trigger()
    assert project.network.place("flatten_2").index == 1


def test_the_end_of_a_network_is_fixed_by_what_it_lacks(project: Project, window: QWidget) -> None:
    project.open_network(Network(nodes=(Network().fresh_ids().node(layer_type("Conv2D")()),)), None)
    project.set_dataset("shapes", 10)
    actions(project, window)["actionFix"].trigger()
    assert [node.id for node in project.network.nodes] == ["conv2d_1", "flatten_1", "dense_1"]
    assert project.selection == ("flatten_1", "dense_1")
    assert project.analysis.problems == ()


def test_deleting_a_whole_group_leaves_the_group_around_selected(project: Project) -> None:
    project.select(["dropout_1"])
    commands.delete(project)
    assert project.selection == ("repeat_1",)


def test_moving_up_at_the_top_and_down_at_the_end_changes_nothing(project: Project) -> None:
    project.select(["conv2d_1"])
    commands.step_up(project)
    project.select(["repeat_2"])
    commands.step_down(project)
    assert project.undo_stack.count() == 0


def test_a_design_needs_a_name(project: Project) -> None:
    commands.rename_design(project, "  ")
    assert project.undo_stack.count() == 0
    commands.rename_design(project, " My\nnet ")
    assert project.network.name == "My net"
