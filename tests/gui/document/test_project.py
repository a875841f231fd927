"""The project: undo, selection, and signals that are emitted only in a consistent state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Place
from cnnstudio.design.text.shorthand import parse_shorthand
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.shape import Shape
from tests.strategies import networks


def with_layer(network: Network, type_name: str, **values: Any) -> Network:
    node = network.fresh_ids().node(layer_type(type_name)(**values))
    return edits.insert(network, Place(None, len(network.nodes)), [node])


def test_an_edit_is_one_step_that_can_be_undone_and_redone(qtbot: QtBot) -> None:
    project = Project()
    before = project.network
    after = with_layer(before, "Conv2D")
    project.edit("add Conv2D", after)
    assert project.network is after
    assert project.undo_stack.undoText() == "add Conv2D"
    project.undo_stack.undo()
    assert project.network is before
    project.undo_stack.redo()
    assert project.network is after


def test_undo_restores_the_selection(qtbot: QtBot) -> None:
    project = Project(with_layer(with_layer(Network(), "Conv2D"), "Flatten"))
    project.select(["flatten_1"])
    project.edit("delete Flatten", edits.remove(project.network, ["flatten_1"]), select=["conv2d_1"])
    assert project.selection == ("conv2d_1",)
    project.undo_stack.undo()
    assert project.selection == ("flatten_1",)


def test_an_edit_that_changes_nothing_is_not_an_undo_step(qtbot: QtBot) -> None:
    project = Project(with_layer(Network(), "Conv2D"))
    project.edit("nothing", edits.rename(project.network, project.network.name), select=["conv2d_1"])
    assert project.undo_stack.count() == 0
    assert project.selection == ("conv2d_1",)


def test_edits_with_the_same_merge_key_are_one_step(qtbot: QtBot) -> None:
    project = Project()
    for name in ("A", "B", "C"):
        project.edit("rename design", edits.rename(project.network, name), merge="typing")
    assert project.undo_stack.count() == 1
    project.undo_stack.undo()
    assert project.network.name == "Untitled"


def test_edits_with_different_merge_keys_are_separate_steps(qtbot: QtBot) -> None:
    project = Project()
    project.edit("rename design", edits.rename(project.network, "A"), merge=1)
    project.edit("rename design", edits.rename(project.network, "B"), merge=2)
    project.edit("rename design", edits.rename(project.network, "C"))
    assert project.undo_stack.count() == 3


def test_a_merged_step_without_a_net_change_is_removed(qtbot: QtBot) -> None:
    project = Project()
    project.edit("rename design", edits.rename(project.network, "A"), merge=1)
    project.edit("rename design", edits.rename(project.network, "Untitled"), merge=1)
    assert project.undo_stack.count() == 0
    assert not project.is_modified


def test_the_project_is_consistent_when_a_signal_is_emitted(qtbot: QtBot) -> None:
    project = Project(with_layer(Network(), "Conv2D"))
    project.select(["conv2d_1"])
    seen = []

    def check(_: object) -> None:
        seen.append(all(node_id in project.analysis.by_id for node_id in project.selection))
        assert project.analysis.network is project.network

    for signal in (project.network_changed, project.analysis_changed, project.selection_changed):
        signal.connect(check)
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    project.undo_stack.undo()
    assert seen
    assert all(seen)


def test_the_analysis_matches_the_network_and_the_classes(qtbot: QtBot) -> None:
    project = Project(with_layer(with_layer(Network(), "Flatten"), "Dense", units=12))
    assert project.analysis.problems == ()
    with qtbot.waitSignal(project.analysis_changed):
        project.set_dataset("cifar10", 10)
    assert "10 classes" in project.analysis.problems[0].message
    assert project.analysis.reports == analyze(project.network, classes=10).reports


def test_classes_that_become_known_later_are_not_an_undo_step(qtbot: QtBot) -> None:
    project = Project()
    project.set_dataset("shapes", None)
    steps = project.undo_stack.count()
    with qtbot.waitSignals([project.dataset_changed, project.analysis_changed]):
        project.set_dataset("shapes", 10, "Shapes")
    assert (project.classes, project.dataset_title, project.undo_stack.count()) == (10, "Shapes", steps)
    project.set_dataset("shapes", 10)
    assert project.dataset_title == "Shapes"


def test_choosing_a_data_set_is_no_step_and_undo_leaves_it(qtbot: QtBot) -> None:
    project = Project()
    project.set_dataset("shapes", 10)
    project.edit("add", with_layer(Network(), "Dense"))
    project.set_recipe(project.recipe.replace(epochs=3))
    with qtbot.waitSignal(project.dataset_changed):
        project.set_dataset("cifar10", 100)
    assert project.undo_stack.count() == 2
    with qtbot.waitSignal(project.recipe_changed):
        project.undo_stack.undo()
    project.undo_stack.undo()
    assert project.network == Network()
    assert (project.dataset_name, project.classes) == ("cifar10", 100)
    project.undo_stack.redo()
    assert project.dataset_name == "cifar10"


def test_a_data_set_that_comes_with_a_design_goes_with_it(qtbot: QtBot) -> None:
    project = Project()
    project.set_dataset("shapes", 10)
    project.edit("import code", with_layer(Network(), "Dense"), dataset="cifar10")
    project.undo_stack.undo()
    assert project.dataset_name == "shapes"
    project.undo_stack.redo()
    assert project.dataset_name == "cifar10"


def test_edits_of_a_recipe_with_the_same_merge_key_are_one_step(qtbot: QtBot) -> None:
    project = Project()
    for epochs in (11, 12, 13):
        project.set_recipe(project.recipe.replace(epochs=epochs), merge="epochs")
    assert project.undo_stack.count() == 1


def test_modified_means_different_from_the_file(qtbot: QtBot) -> None:
    project = Project()
    project.set_recipe(project.recipe.replace(epochs=3))
    assert not project.is_modified, "the recipe is not in the design's file"
    with qtbot.waitSignal(project.file_changed):
        project.edit("add Conv2D", with_layer(project.network, "Conv2D"))
    assert project.is_modified
    project.undo_stack.undo()
    assert not project.is_modified


def test_saving_makes_the_current_state_unmodified(qtbot: QtBot, tmp_path: Path) -> None:
    project = Project()
    project.edit("add Conv2D", with_layer(project.network, "Conv2D"))
    path = tmp_path / "a.cnn.json"
    project.mark_saved(path)
    assert (project.path, project.is_modified) == (path, False)
    project.undo_stack.undo()
    assert project.is_modified


def test_a_step_to_another_design_leaves_its_file_and_undo_returns_to_it(
    qtbot: QtBot, tmp_path: Path
) -> None:
    project, paths = Project(), [tmp_path / "a.cnn.json", tmp_path / "b.cnn.json"]
    first = with_layer(Network(), "Conv2D")
    project.open_network(first, paths[0])
    seen: list[object] = []
    project.file_changed.connect(seen.append)
    other = with_layer(Network(), "Flatten")
    project.edit("start from another", other, is_another=True)
    assert (project.path, project.is_modified, seen) == (None, True, [None])
    project.undo_stack.undo()
    assert (project.path, project.network, project.is_modified) == (paths[0], first, False)
    assert seen[-1] == paths[0]
    project.undo_stack.redo()
    project.mark_saved(paths[1])
    # Each of both goes on with its own file.
    project.undo_stack.undo()
    assert (project.path, project.is_modified) == (paths[0], False)
    project.undo_stack.redo()
    assert (project.path, project.network, project.is_modified) == (paths[1], other, False)


def test_opening_a_design_clears_the_undo_stack(qtbot: QtBot, tmp_path: Path) -> None:
    project = Project()
    project.edit("add Conv2D", with_layer(project.network, "Conv2D"), select=["conv2d_1"])
    project.select_input()
    other = with_layer(Network(), "Flatten")
    project.open_network(other, tmp_path / "b.cnn.json")
    assert (project.network, project.selection, project.input_selected) == (other, (), False)
    assert not project.undo_stack.canUndo()
    assert not project.is_modified


def test_the_selection_is_in_list_order_and_ignores_unknown_ids(qtbot: QtBot) -> None:
    project = Project(with_layer(with_layer(Network(), "Conv2D"), "Flatten"))
    project.select(["flatten_1", "ghost_1", "conv2d_1"])
    assert project.selection == ("conv2d_1", "flatten_1")


def test_the_input_can_be_selected_instead_of_layers(qtbot: QtBot) -> None:
    project = Project(with_layer(Network(), "Conv2D"))
    project.select(["conv2d_1"])
    with qtbot.waitSignal(project.selection_changed):
        project.select_input()
    assert (project.selection, project.input_selected) == ((), True)
    project.edit("change input size", edits.set_input(project.network, Shape.of(1, 28, 28)))
    assert project.input_selected
    project.select(["conv2d_1"])
    assert not project.input_selected


@given(st.lists(networks(), min_size=1, max_size=5))
def test_undoing_all_steps_restores_the_same_object(versions: list[Network]) -> None:
    project = Project(versions[0])
    for network in versions[1:]:
        project.edit("edit", network)
    project.undo_stack.setIndex(0)
    assert project.network is versions[0]
    assert project.analysis.reports == analyze(versions[0]).reports


def test_what_is_missing_is_a_hint_until_training_is_asked_for(qtbot: QtBot) -> None:
    project = Project()
    project.set_dataset("birds", 37)
    assert project.analysis.problems[0].missing == "layers"
    project.edit("add", parse("conv"))
    report = project.analysis.reports[0]
    hint = project.hint_of(report)
    assert hint is not None
    assert hint.missing == "Dense with 37 units"
    assert project.error_of(report) is None

    with qtbot.waitSignal(project.analysis_changed):
        project.insist_on_problems()
    assert (project.error_of(report), project.hint_of(report)) == (hint, None)

    project.edit("add", parse("conv, conv"))
    assert project.error_of(project.analysis.reports[-1]) is None


@pytest.mark.parametrize(
    ("layers", "missing"),
    [
        ("flatten, dense 128 relu", "Dense with 37 units"),
        ("flatten, dense 10 softmax", ""),
        ("flatten, dense 10, activation softmax", ""),
        ("conv, dense 37 softmax", ""),
    ],
)
def test_only_what_may_still_follow_is_missing(layers: str, missing: str) -> None:
    problem = analyze(parse(layers), classes=37).problems[0]
    assert problem.missing == missing


def parse(text: str) -> Network:
    return Network(nodes=tuple(parse_shorthand(text, Network().fresh_ids())))
