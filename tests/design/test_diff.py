"""What changed between two designs, told in as few words as it takes."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design import edits
from cnnstudio.design.diff import Diff, diff
from cnnstudio.design.matching import common
from cnnstudio.design.network import IdMaker, Network, Place
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

DRAWN = network(
    Conv2D(8, padding="same"),
    MaxPooling2D(),
    (Residual(), Conv2D(8, padding="same"), BatchNormalization()),
    Flatten(),
    Dense(10),
)


def told(before: Network, after: Network) -> list[str]:
    """The lines without the costs."""
    return [entry.text for entry in diff(before, after).entries]


def copied(network: Network) -> Network:
    """The same layers under other ids."""
    fresh = IdMaker(
        {f"{node.id.rpartition('_')[0]}_{number + 500}" for number, node in enumerate(network.walk())}
    )
    return dataclasses.replace(network, nodes=tuple(fresh.copy(node) for node in network.nodes))


def test_a_changed_parameter_is_told_with_both_values_and_what_it_costs() -> None:
    layer = Conv2D(16, (5, 5), padding="same")
    found = diff(DRAWN, edits.replace(DRAWN, "conv2d_2", layer=layer))
    assert found.lines() == (
        "Layer 4, Conv2D: filters 8 → 16, kernel_size 3 × 3 → 5 × 5",
        "Parameters: 21,314 → 44,442 (+108.5%)",
        "Multiply-adds: 389,120 → 1,081,344 (+177.9%)",
        "Problems: 0 → 1",
    )
    (entry,) = found.entries
    assert [(each.name, each.before, each.after) for each in entry.changes] == [
        ("filters", "8", "16"),
        ("kernel_size", "3 × 3", "5 × 5"),
    ]


def test_each_kind_of_edit_is_one_line() -> None:
    fresh = DRAWN.fresh_ids()
    assert told(DRAWN, edits.insert(DRAWN, Place(None, 1), [fresh.node(Dropout(0.25))])) == [
        "Layer 2, Dropout (rate 0.25), is added behind Conv2D"
    ]
    assert told(DRAWN, edits.insert(DRAWN, Place("residual_1", 0), [fresh.node(Flatten())])) == [
        "Layer 4, Flatten (to a flat vector), is added at the start of Residual"
    ]
    assert told(DRAWN, edits.remove(DRAWN, ["max_pooling2d_1"])) == [
        "MaxPooling2D (2 × 2), layer 2 before, is removed"
    ]
    assert told(DRAWN, edits.remove(DRAWN, ["residual_1"])) == [
        "Residual (adds its input, relu, with 2 layers), layer 3 before, is removed"
    ]
    assert told(DRAWN, edits.move(DRAWN, ["max_pooling2d_1"], Place("residual_1", 2))) == [
        "Layer 5, MaxPooling2D, is moved behind BatchNormalization in Residual"
    ]
    assert told(DRAWN, edits.replace(DRAWN, "conv2d_1", name="stem")) == ["Layer 1, stem, was called Conv2D"]
    assert told(DRAWN, edits.replace(DRAWN, "flatten_1", enabled=False)) == [
        "Layer 6, Flatten, is switched off"
    ]


def test_layers_that_trade_places_are_one_move() -> None:
    assert told(DRAWN, edits.move(DRAWN, ["dense_1"], Place(None, 0))) == [
        "Layer 1, Dense, is moved at the start"
    ]


def test_what_is_gone_is_told_where_it_stood() -> None:
    value = edits.move(edits.remove(DRAWN, ["max_pooling2d_1"]), ["dense_1"], Place(None, 0))
    value = edits.replace(value, "conv2d_1", name="stem")
    assert [(entry.status, entry.node.id) for entry in diff(DRAWN, value).entries] == [
        *(("moved", "dense_1"), ("renamed", "conv2d_1"), ("removed", "max_pooling2d_1"))
    ]


def test_a_group_around_layers_is_added_and_they_move_into_it() -> None:
    wrapped, _ = edits.wrap(DRAWN, ["conv2d_1", "max_pooling2d_1"], Block())
    assert told(DRAWN, wrapped) == [
        "Layer 1, Block (in a row, with 2 layers), is added at the start",
        "Layer 2, Conv2D, is moved at the start of Block",
        "Layer 3, MaxPooling2D, is moved behind Conv2D in Block",
    ]
    # Backwards its layers come out, and the group goes.
    assert sorted(entry.status for entry in diff(wrapped, DRAWN).entries) == ["moved", "moved", "removed"]


def test_the_same_design_under_other_ids_is_the_same() -> None:
    other = copied(DRAWN)
    assert not any(node.id in DRAWN for node in other.walk())
    assert diff(DRAWN, other).is_empty
    assert diff(DRAWN, other).lines() == ("The two designs are the same",)


def test_designs_drawn_apart_are_matched_by_what_they_have_in_common() -> None:
    # Both count their ids from 1, so the same id is another layer in each.
    before = network(Conv2D(32), MaxPooling2D(), Conv2D(64), Flatten(), Dense(10))
    after = network(Conv2D(16), Conv2D(32), MaxPooling2D(), Conv2D(64), Flatten(), Dense(20), Dense(10))
    assert told(before, after) == [
        "Layer 1, Conv2D (16 filters 3 × 3), is added at the start",
        "Layer 6, Dense (20 units), is added behind Flatten",
    ]


def test_another_size_of_images_is_told_first() -> None:
    lines = diff(DRAWN, edits.with_input(DRAWN, Shape.of(3, 16, 16))).lines()
    assert lines[0] == "Images: 3 × 32 × 32 → 3 × 16 × 16"


def test_templates_are_told_apart_in_a_moment() -> None:
    found = diff(template("lesson-32").network, template("resnet-20").network)
    assert {entry.status for entry in found.entries} >= {"added"}
    assert "Parameters: " in found.lines()[-2]


@given(networks(), st.data())
def test_nothing_is_told_only_of_equal_networks(value: Network, data: st.DataObject) -> None:
    other = edited(value, data.draw(network_edits(value)))
    found = diff(value, other)
    assert found.is_empty == (value.nodes == other.nodes and value.input == other.input) or same_values(found)
    assert diff(value, copied(value)).is_empty


def same_values(found: Diff) -> bool:
    """Whether the two differ by ids alone."""

    def values(network: Network) -> list[object]:
        return [(network.depth(node.id), node.layer, node.name, node.enabled) for node in network.walk()]

    return found.is_empty and values(found.before.network) == values(found.after.network)


@given(networks(), networks())
def test_a_comparison_is_complete_and_turns_round(left: Network, right: Network) -> None:
    found, back = diff(left, right), diff(right, left)
    assert found.is_empty == back.is_empty
    told_new = {entry.after.id for entry in found.entries if entry.status == "added" and entry.after}
    for entry in found.entries:
        assert entry.text
        assert entry.node.title in entry.text
        assert (entry.before is None) == (entry.status == "added")
        assert (entry.after is None) == (entry.status == "removed")
    assert told_new <= {node.id for node in right.walk()}


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_what_two_lists_have_in_common_is_as_long_as_can_be(left: list[int], right: list[int]) -> None:
    pairs = common(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert pairs == sorted(set(pairs))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, value in enumerate(left):
        for j, other in enumerate(right):
            longer = lengths[i][j] + 1 if value == other else max(lengths[i][j + 1], lengths[i + 1][j])
            lengths[i + 1][j + 1] = longer
    assert len(pairs) == lengths[-1][-1]
