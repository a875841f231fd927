"""Each edit does what it should and rejects invalid arguments."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.edits import EditError
from cnnstudio.design.network import MAXIMUM_DEPTH, MAXIMUM_NODES, IdGenerator, Network, Node, Place
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import disabled, nested, network


def ids(value: Network) -> list[str]:
    return [node.id for node in value.walk()]


def outline(value: Network) -> list[str]:
    """Ids, indented by two spaces per level."""
    return ["  " * value.depth(node.id) + node.id for node in value.walk()]


@pytest.fixture
def deep() -> Network:
    """A network with as many nested groups as allowed."""
    return network(nested(Repeat(), MAXIMUM_DEPTH), Flatten(), (Residual(), Dropout()))


def innermost(value: Network) -> str:
    return max((node.id for node in value.walk()), key=value.depth)


def test_insert_puts_layers_at_the_position() -> None:
    value = network(Conv2D(), (Repeat(), Flatten()))
    new = value.fresh_ids().node(Dropout())
    assert ids(edits.insert(value, Place(None, 1), [new])) == [
        "conv2d_1",
        "dropout_1",
        "repeat_1",
        "flatten_1",
    ]
    assert outline(edits.insert(value, Place("repeat_1", 1), [new]))[-1] == "  dropout_1"
    assert ids(edits.insert(value, Place(None, 99), [new]))[-1] == "dropout_1"
    assert ids(edits.insert(value, Place(None, -5), [new]))[0] == "dropout_1"


def test_insert_rejects_ids_that_are_taken_or_duplicate() -> None:
    value = network(Conv2D())
    with pytest.raises(EditError, match="already contains a layer with this id"):
        edits.insert(value, Place(None, 0), [Node("conv2d_1", Dropout())])
    with pytest.raises(EditError, match="already contains a layer with this id"):
        edits.insert(value, Place(None, 0), [Node("dropout_1", Dropout()), Node("dropout_1", Dropout())])


def test_only_groups_can_contain_layers() -> None:
    value = network(Conv2D(), Flatten())
    for edit in (
        lambda: edits.insert(value, Place("conv2d_1", 0), [Node("dropout_1", Dropout())]),
        lambda: edits.move(value, ["flatten_1"], Place("conv2d_1", 0)),
        lambda: edits.unwrap(value, "conv2d_1"),
    ):
        with pytest.raises(EditError, match="Conv2D is not a group and cannot contain layers"):
            edit()


def test_unknown_ids_are_rejected() -> None:
    value = network(Conv2D(), Flatten())
    for edit in (
        lambda: edits.insert(value, Place("ghost_1", 0), [Node("dropout_1", Dropout())]),
        lambda: edits.remove(value, ["ghost_1"]),
        lambda: edits.move(value, ["ghost_1"], Place(None, 0)),
        lambda: edits.move(value, ["flatten_1"], Place("ghost_1", 0)),
        lambda: edits.replace(value, "ghost_1", name="x"),
        lambda: edits.duplicate(value, ["ghost_1"]),
        lambda: edits.wrap(value, ["ghost_1"], Repeat()),
        lambda: edits.unwrap(value, "ghost_1"),
    ):
        with pytest.raises(EditError, match="the network has no layer with the id “ghost_1”"):
            edit()


def test_remove_includes_the_contents_of_groups() -> None:
    value = network(Conv2D(), (Repeat(), Flatten(), (Residual(), Dropout())), Dense())
    assert ids(edits.remove(value, ["repeat_1", "dropout_1"])) == ["conv2d_1", "dense_1"]
    assert outline(edits.remove(value, ["flatten_1"]))[1:3] == ["repeat_1", "  residual_1"]


@pytest.mark.parametrize(
    ("moved", "index", "expected"),
    [
        (["a"], 3, "bcad"),
        (["a"], 4, "bcda"),
        (["d"], 0, "dabc"),
        (["a", "c"], 2, "bacd"),
        (["d", "a"], 2, "badc"),
        (["b"], 1, "abcd"),
        (["b"], 2, "abcd"),
    ],
)
def test_the_target_of_a_move_is_counted_before_the_move(moved: list[str], index: int, expected: str) -> None:
    value = Network(nodes=tuple(Node(letter, Dropout()) for letter in "abcd"))
    assert "".join(ids(edits.move(value, moved, Place(None, index)))) == expected


def test_a_move_without_effect_returns_the_same_network() -> None:
    value = network((Repeat(), Flatten(), Dropout()))
    assert edits.move(value, ["dropout_1"], Place("repeat_1", 2)) is value


def test_layers_can_be_moved_into_and_out_of_groups() -> None:
    value = network(Conv2D(), (Repeat(), Flatten()))
    inside = edits.move(value, ["conv2d_1"], Place("repeat_1", 1))
    assert outline(inside) == ["repeat_1", "  flatten_1", "  conv2d_1"]
    assert outline(edits.move(inside, ["flatten_1"], Place(None, 0))) == [
        "flatten_1",
        "repeat_1",
        "  conv2d_1",
    ]


def test_a_selection_inside_a_selected_group_moves_with_the_group() -> None:
    value = network((Repeat(), Flatten()), Dropout())
    assert outline(edits.move(value, ["flatten_1", "repeat_1"], Place(None, 2))) == [
        "dropout_1",
        "repeat_1",
        "  flatten_1",
    ]


def test_a_group_cannot_be_moved_into_itself() -> None:
    value = network((Repeat(), (Residual(), Flatten())))
    for parent in ("repeat_1", "residual_1"):
        with pytest.raises(EditError, match="Repeat cannot be moved into itself"):
            edits.move(value, ["repeat_1"], Place(parent, 0))


def test_replace_changes_only_the_given_values() -> None:
    value = network(disabled(Conv2D()))
    named = edits.replace(value, "conv2d_1", name="stem")
    assert named.node("conv2d_1").title == "stem"
    changed = edits.replace(named, "conv2d_1", layer=Conv2D(filters=5))
    assert (changed.node("conv2d_1").title, changed.node("conv2d_1").enabled) == ("stem", False)
    assert edits.replace(named, "conv2d_1", name=None) == value
    assert edits.replace(value, "conv2d_1", layer=Conv2D(), enabled=False) is value


def test_replace_cannot_change_the_type() -> None:
    with pytest.raises(EditError, match="Conv2D is a Conv2D and cannot become a Dense"):
        edits.replace(network(Conv2D()), "conv2d_1", layer=Dense())


def test_names_are_reduced_to_one_encodable_line() -> None:
    value = edits.replace(network(Conv2D()), "conv2d_1", name=" a\n\tb\ud800\x00\u202e ")
    assert value.node("conv2d_1").name == "a b"
    assert edits.replace(value, "conv2d_1", name=" \n").node("conv2d_1").name is None
    assert len(edits.replace(value, "conv2d_1", name="x" * 1000).node("conv2d_1").name or "") == 100
    assert edits.rename(value, "\ud800").name == "Untitled"


def test_duplicate_inserts_copies_after_the_last_original() -> None:
    value = network(Conv2D(), (Repeat(), Flatten()), Dropout())
    after, copies = edits.duplicate(value, ["conv2d_1", "repeat_1"])
    assert copies == ["conv2d_2", "repeat_2"]
    assert outline(after) == [
        *("conv2d_1", "repeat_1", "  flatten_1", "conv2d_2", "repeat_2", "  flatten_2", "dropout_1")
    ]
    assert after.node("repeat_2").children[0].layer == Flatten()
    assert edits.duplicate(value, []) == (value, [])


def test_unwrap_is_the_inverse_of_wrap() -> None:
    value = network(Conv2D(), Flatten(), Dropout())
    wrapped, group = edits.wrap(value, ["flatten_1", "dropout_1"], Repeat())
    assert outline(wrapped) == ["conv2d_1", group, "  flatten_1", "  dropout_1"]
    assert edits.unwrap(wrapped, group) == value


def test_only_adjacent_layers_can_be_wrapped() -> None:
    value = network(Conv2D(), Flatten(), (Repeat(), Dropout()))
    for chosen in (["conv2d_1", "repeat_1"], ["flatten_1", "dropout_1"], []):
        with pytest.raises(EditError, match="only adjacent layers can be grouped"):
            edits.wrap(value, chosen, Repeat())


def test_the_input_must_be_an_image_of_limited_size() -> None:
    value = network(Conv2D())
    assert edits.set_input(value, Shape.of(1, 28, 28)).input == Shape.of(1, 28, 28)
    for shape in (Shape.of(10), Shape.of(3, 1025, 3)):
        with pytest.raises(EditError, match="each from 1 to 1024, got"):
            edits.set_input(value, shape)


def test_no_edit_exceeds_the_nesting_limit(deep: Network) -> None:
    bottom = innermost(deep)
    allowed = edits.insert(deep, Place(bottom, 0), [Node("conv2d_1", Conv2D())])
    assert allowed.depth("conv2d_1") == MAXIMUM_DEPTH
    for edit in (
        lambda: edits.insert(deep, Place(bottom, 0), [Node("repeat_99", Repeat())]),
        lambda: edits.move(deep, ["residual_1"], Place(bottom, 0)),
        lambda: edits.wrap(deep, [bottom], Repeat()),
        lambda: edits.wrap(allowed, ["conv2d_1"], Repeat()),
        lambda: edits.wrap(deep, [deep.nodes[0].id], Residual()),
    ):
        with pytest.raises(EditError, match=f"groups can be nested at most {MAXIMUM_DEPTH} deep"):
            edit()
    copied, _ = edits.duplicate(deep, [bottom])
    assert max(copied.depth(node.id) for node in copied.walk()) == MAXIMUM_DEPTH - 1


def test_no_edit_exceeds_the_layer_limit() -> None:
    maker = IdGenerator()
    full = Network(nodes=tuple(maker.node(Dropout()) for _ in range(MAXIMUM_NODES)))
    for edit in (
        lambda: edits.insert(full, Place(None, 0), [maker.node(Dropout())]),
        lambda: edits.duplicate(full, ["dropout_7"]),
        lambda: edits.wrap(full, ["dropout_7"], Repeat()),
    ):
        with pytest.raises(EditError, match="a design can have at most 20,000 layers"):
            edit()


def test_new_ids_are_unused_whatever_numbers_a_file_contains() -> None:
    odd = ["dropout_999999999", "dropout_1000000", "dropout_007", "dropout_999999"]
    value = Network(nodes=tuple(Node(each, Dropout()) for each in odd))
    made = value.fresh_ids()
    fresh = [made(Dropout()) for _ in range(3)]
    assert not set(fresh) & set(odd)
    assert len(set(fresh)) == 3
    assert network(Dropout()).fresh_ids()(Dropout()) == "dropout_2"
