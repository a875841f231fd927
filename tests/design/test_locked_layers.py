"""Layers and groups whose weights training leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.analysis.memory_estimate import estimate_memory
from cnnstudio.design.diff import diff
from cnnstudio.design.file import DesignError, design_text, layers_from_text, layers_to_text, parse_design
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.scale import Scale
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization

CONV, NORM = 4 * 3 * 9 + 4, 8
INNER = 2 * (4 * 4 * 9 + 4)
HEAD = 4 * 8 * 8 * 3 + 3


@pytest.fixture
def network() -> Network:
    """Conv2D, BatchNormalization, a Repeat of 2 with a Conv2D, Flatten, Dense."""
    ids = IdGenerator()
    conv = Conv2D(4, padding="same")
    inner = ids.node(conv)
    nodes = (
        *(ids.node(conv), ids.node(BatchNormalization())),
        *(ids.node(Repeat(times=2), children=(inner,)), ids.node(Flatten()), ids.node(Dense(3))),
    )
    return Network(Shape.of(3, 8, 8), nodes)


def test_parameters_stay_the_total_and_trainable_ones_are_those_that_learn(network: Network) -> None:
    assert analyze(network).trainable_parameters == CONV + NORM + INNER + HEAD
    locked = edits.set_trainable(network, ["conv2d_2", "repeat_1"], False)
    analysis = analyze(locked, analyze(network), classes=3)
    assert analysis.parameters == CONV + NORM + INNER + HEAD
    assert analysis.trainable_parameters == NORM + HEAD
    assert analysis.trainable_parameters_of(locked.node("conv2d_1")) == 0
    assert analysis.trainable_parameters_of(locked.node("dense_1")) == HEAD
    inside = analyze(edits.set_trainable(network, ["conv2d_1"], False))
    assert inside.trainable_parameters_of(inside.network.node("repeat_1")) == 0


def test_everything_locked_is_a_problem_that_unlocking_the_last_layer_fixes(network: Network) -> None:
    locked = edits.set_trainable(network, [node.id for node in network.nodes], False)
    (problem,) = analyze(locked, classes=3).problems
    assert problem.node_id == "dense_1"
    assert "all of them are locked" in problem.full_message
    fixed = apply_fix(locked, problem)
    assert not analyze(fixed, classes=3).problems
    assert analyze(fixed).trainable_parameters == HEAD


def test_a_layer_is_unlocked_alone_out_of_a_locked_group(network: Network) -> None:
    ids = network.fresh_ids()
    first, second = ids.node(Conv2D(4, padding="same")), ids.node(BatchNormalization())
    network = edits.insert(
        network, network.place("repeat_1"), [ids.node(Residual(), children=(first, second))]
    )
    locked = edits.set_trainable(network, ["residual_1"], False)
    assert {first.id, second.id, "residual_1"} == locked.locked_ids
    unlocked = edits.set_trainable(locked, [second.id], True)
    assert unlocked.locked_ids == {first.id}
    assert unlocked.node(second.id) is locked.node(second.id), "it was locked by its group alone"
    assert edits.set_trainable(locked, ["residual_1"], True) == network


def test_ungrouping_a_locked_group_leaves_its_layers_locked(network: Network) -> None:
    locked = edits.set_trainable(network, ["repeat_1"], False)
    assert edits.unwrap(locked, "repeat_1").locked_ids == {"conv2d_1"}


def test_a_design_without_locks_is_version_1_and_one_with_them_is_version_2(network: Network) -> None:
    assert json.loads(design_text(network))["version"] == 1
    locked = edits.set_trainable(network, ["repeat_1"], False)
    for changed in (locked, edits.set_weights(network, "efficientnet-lite0")):
        content = json.loads(design_text(changed))
        assert content["version"] == 2
        assert parse_design(design_text(changed)) == changed
        # Version 1 is read with them as well: someone may have added them by hand.
        assert parse_design(json.dumps({**content, "version": 1})) == changed
    (pasted,) = layers_from_text(layers_to_text([locked.node("repeat_1")]), network)
    assert not pasted.trainable


@pytest.mark.parametrize("value", ["yes", 0, None])
def test_a_lock_that_is_not_true_or_false_is_refused_with_its_place(network: Network, value: object) -> None:
    content = json.loads(design_text(network))
    content["layers"][2]["layers"][0]["trainable"] = value
    with pytest.raises(DesignError, match=r"layers\[2\]\.layers\[0\]\.trainable: must be true or false"):
        parse_design(json.dumps(content))


@pytest.mark.parametrize("value", [3, "../secret", "Ünïcode", "a" * 65, ["efficientnet-lite0"]])
def test_weights_are_a_name_and_nothing_else(network: Network, value: object) -> None:
    content = {**json.loads(design_text(network)), "weights": value}
    with pytest.raises(DesignError, match="weights: must be the name of pretrained weights"):
        parse_design(json.dumps(content))


def test_a_scale_has_its_own_word_for_it_and_keeps_it() -> None:
    ids = IdGenerator()
    network = Network(Shape.of(3, 8, 8), (ids.node(Scale(2.0, trainable=True)), ids.node(Flatten())))
    locked = edits.set_trainable(network, ["scale_1"], False)
    assert locked.node("scale_1").layer == Scale(2.0, trainable=False)
    assert json.loads(design_text(locked))["version"] == 1
    assert parse_design(design_text(locked)) == locked
    assert edits.set_trainable(locked, ["scale_1"], True) == network


def test_a_comparison_names_locks_and_start_weights(network: Network) -> None:
    locked = replace(edits.set_trainable(network, ["conv2d_2"], False), weights="efficientnet-lite0")
    lines = diff(network, locked).lines()
    assert "Start weights: random → efficientnet-lite0" in lines
    assert "Layer 1, Conv2D, was locked" in lines
    assert diff(locked, network).entries[0].status == "unlocked"


def test_a_copy_of_a_locked_layer_is_locked(network: Network) -> None:
    locked = edits.set_trainable(network, ["conv2d_2"], False)
    copied, (copy,) = edits.duplicate(locked, ["conv2d_2"])
    assert not copied.node(copy).trainable


def test_a_locked_beginning_keeps_nothing_for_the_backward_pass(network: Network) -> None:
    learning = estimate_memory(analyze(network), 8, optimizer_slots=2)
    locked = edits.set_trainable(network, ["conv2d_2", "batch_normalization_1", "repeat_1"], False)
    head = estimate_memory(analyze(locked), 8, optimizer_slots=2)
    assert head.weights == learning.weights
    assert head.gradients == 4 * HEAD
    assert head.optimizer == 2 * 4 * HEAD
    # Two outputs of 4 × 8 × 8 at a time, the input of one layer and its output, and the image.
    assert head.activations == 4 * 8 * (3 * 8 * 8 + 2 * 4 * 8 * 8)
    middle = edits.set_trainable(network, ["repeat_1"], False)
    assert estimate_memory(analyze(middle), 8, 2).activations == learning.activations
