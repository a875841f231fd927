"""The differences between two designs as readable text."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design import edits
from cnnstudio.design.diff import Diff, diff
from cnnstudio.design.matching import longest_common_subsequence
from cnnstudio.design.network import IdGenerator, Network, Place
from cnnstudio.design.templates import template
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import network
from tests.design.test_edit_properties import edited
from tests.strategies import network_edits, networks

DESIGN = network(
    Conv2D(8, padding="same"),
    MaxPooling2D(),
    (Residual(), Conv2D(8, padding="same"), BatchNormalization()),
    Flatten(),
    Dense(10),
)


def entry_texts(before: Network, after: Network) -> list[str]:
    """The lines without the totals."""
    return [entry.text for entry in diff(before, after).entries]


def with_new_ids(network: Network) -> Network:
    """The same layers with different ids."""
    fresh = IdGenerator(
        {f"{node.id.rpartition('_')[0]}_{number + 500}" for number, node in enumerate(network.walk())}
    )
    return dataclasses.replace(network, nodes=tuple(fresh.copy(node) for node in network.nodes))


def test_a_changed_parameter_is_listed_with_both_values_and_the_cost() -> None:
    layer = Conv2D(16, (5, 5), padding="same")
    found = diff(DESIGN, edits.replace(DESIGN, "conv2d_2", layer=layer))
    assert found.lines() == (
        "Layer 4, Conv2D: filters 8 → 16, kernel_size 3 × 3 → 5 × 5",
        "Parameters: 21,314 → at least 44,442",
        "Multiply-adds: 389,120 → at least 1,081,344",
        "Problems: 0 → 1",
    )
    (entry,) = found.entries
    assert [(each.name, each.before, each.after) for each in entry.changes] == [
        ("filters", "8", "16"),
        ("kernel_size", "3 × 3", "5 × 5"),
    ]


def test_each_kind_of_edit_is_one_entry() -> None:
    fresh = DESIGN.fresh_ids()
    assert entry_texts(DESIGN, edits.insert(DESIGN, Place(None, 1), [fresh.node(Dropout(0.25))])) == [
        "Layer 2, Dropout (rate 0.25), was added after Conv2D"
    ]
    assert entry_texts(DESIGN, edits.insert(DESIGN, Place("residual_1", 0), [fresh.node(Flatten())])) == [
        "Layer 4, Flatten (to a flat vector), was added to the start of Residual"
    ]
    assert entry_texts(DESIGN, edits.remove(DESIGN, ["max_pooling2d_1"])) == [
        "MaxPooling2D (2 × 2), formerly layer 2, was removed"
    ]
    assert entry_texts(DESIGN, edits.remove(DESIGN, ["residual_1"])) == [
        "Residual (adds its input, relu, with 2 layers), formerly layer 3, was removed"
    ]
    assert entry_texts(DESIGN, edits.move(DESIGN, ["max_pooling2d_1"], Place("residual_1", 2))) == [
        "Layer 5, MaxPooling2D, was moved after BatchNormalization in Residual"
    ]
    assert entry_texts(DESIGN, edits.replace(DESIGN, "conv2d_1", name="stem")) == [
        "Layer 1, stem, was named Conv2D before"
    ]
    assert entry_texts(DESIGN, edits.replace(DESIGN, "flatten_1", enabled=False)) == [
        "Layer 6, Flatten, was disabled"
    ]


def test_a_moved_layer_is_the_only_entry() -> None:
    assert entry_texts(DESIGN, edits.move(DESIGN, ["dense_1"], Place(None, 0))) == [
        "Layer 1, Dense, was moved to the start"
    ]


def test_removed_layers_are_listed_at_their_old_position() -> None:
    value = edits.move(edits.remove(DESIGN, ["max_pooling2d_1"]), ["dense_1"], Place(None, 0))
    value = edits.replace(value, "conv2d_1", name="stem")
    assert [(entry.status, entry.node.id) for entry in diff(DESIGN, value).entries] == [
        *(("moved", "dense_1"), ("renamed", "conv2d_1"), ("removed", "max_pooling2d_1"))
    ]


def test_grouping_layers_adds_the_group_and_moves_them_into_it() -> None:
    wrapped, _ = edits.wrap(DESIGN, ["conv2d_1", "max_pooling2d_1"], Block())
    assert entry_texts(DESIGN, wrapped) == [
        "Layer 1, Block (in sequence, with 2 layers), was added to the start",
        "Layer 2, Conv2D, was moved to the start of Block",
        "Layer 3, MaxPooling2D, was moved after Conv2D in Block",
    ]
    # In reverse, the layers are moved out and the group is removed.
    assert sorted(entry.status for entry in diff(wrapped, DESIGN).entries) == ["moved", "moved", "removed"]


def test_the_same_design_with_other_ids_has_no_differences() -> None:
    other = with_new_ids(DESIGN)
    assert not any(node.id in DESIGN for node in other.walk())
    assert diff(DESIGN, other).is_empty
    assert diff(DESIGN, other).lines() == ("The two designs are the same",)


def test_independent_designs_are_matched_by_order() -> None:
    # Both count their ids from 1, so the same id is a different layer in each.
    before = network(Conv2D(32), MaxPooling2D(), Conv2D(64), Flatten(), Dense(10))
    after = network(Conv2D(16), Conv2D(32), MaxPooling2D(), Conv2D(64), Flatten(), Dense(20), Dense(10))
    assert entry_texts(before, after) == [
        "Layer 1, Conv2D (16 filters 3 × 3), was added to the start",
        "Layer 6, Dense (20 units), was added after Flatten",
    ]


def test_a_different_input_size_is_listed_first() -> None:
    lines = diff(DESIGN, edits.set_input(DESIGN, Shape.of(3, 16, 16))).lines()
    assert lines[0] == "Images: 3 × 32 × 32 → 3 × 16 × 16"


def test_templates_can_be_compared() -> None:
    found = diff(template("lesson-32").network, template("resnet-20").network)
    assert {entry.status for entry in found.entries} >= {"added"}
    assert "Parameters: " in found.lines()[-2]


@given(networks(), st.data())
def test_there_are_no_differences_only_between_equal_networks(value: Network, data: st.DataObject) -> None:
    other = edited(value, data.draw(network_edits(value)))
    found = diff(value, other)
    assert found.is_empty == (
        value.nodes == other.nodes and value.input == other.input
    ) or differs_only_in_ids(found)
    assert diff(value, with_new_ids(value)).is_empty


def differs_only_in_ids(found: Diff) -> bool:
    """Whether the two differ only in ids."""

    def values(network: Network) -> list[object]:
        return [(network.depth(node.id), node.layer, node.name, node.enabled) for node in network.walk()]

    return found.is_empty and values(found.before.network) == values(found.after.network)


@given(networks(), networks())
def test_a_comparison_is_complete_and_symmetric(left: Network, right: Network) -> None:
    found, back = diff(left, right), diff(right, left)
    assert found.is_empty == back.is_empty
    added_ids = {entry.after.id for entry in found.entries if entry.status == "added" and entry.after}
    for entry in found.entries:
        assert entry.text
        assert entry.node.title in entry.text
        assert (entry.before is None) == (entry.status == "added")
        assert (entry.after is None) == (entry.status == "removed")
    assert added_ids <= {node.id for node in right.walk()}


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_the_common_subsequence_is_as_long_as_possible(left: list[int], right: list[int]) -> None:
    pairs = longest_common_subsequence(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert pairs == sorted(set(pairs))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, value in enumerate(left):
        for j, other in enumerate(right):
            longer = lengths[i][j] + 1 if value == other else max(lengths[i][j + 1], lengths[i + 1][j])
            lengths[i + 1][j + 1] = longer
    assert len(pairs) == lengths[-1][-1]
