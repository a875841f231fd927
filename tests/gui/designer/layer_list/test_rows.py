"""The steps from one list of rows to another: right for any two networks, few for what users do."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design import edits
from cnnstudio.design.edits import EditError
from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer.layer_list.rows import (
    INPUT,
    ROOT,
    Insert,
    Move,
    Remove,
    Rows,
    Step,
    changed_nodes,
    steps,
)
from cnnstudio.layers.catalog import layer_type
from tests.strategies import network_edits, networks


def follow(rows: Rows, network: Network, before: Network | None = None) -> list[Step]:
    made = []
    for step in steps(rows, network, list(changed_nodes(network, before))):
        rows.apply(step)
        made.append(step)
    return made


def tree(rows: Rows, parent: int = ROOT) -> list[object]:
    """The rows as nested lists of ids."""
    return [
        [rows.ids[number], tree(rows, number)] for number in rows.children.get(parent, ()) if number != INPUT
    ]


def wanted(network: Network, parent: str | None = None) -> list[object]:
    return [[node.id, wanted(network, node.id)] for node in network.children(parent)]


@given(networks(), networks())
def test_any_network_can_follow_any_other(before: Network, after: Network) -> None:
    rows = Rows()
    follow(rows, before)
    assert tree(rows) == wanted(before)
    follow(rows, after, before)
    assert tree(rows) == wanted(after)


@given(networks(), st.data())
def test_edits_that_share_what_they_did_not_touch_are_followed(network: Network, data: st.DataObject) -> None:
    rows = Rows()
    follow(rows, network)
    for _ in range(4):
        before = network
        with suppress(EditError):
            network = data.draw(network_edits(network)).make(network)
        follow(rows, network, before)
        assert tree(rows) == wanted(network)


def test_what_an_edit_did_not_touch_is_not_looked_at(nested: Network) -> None:
    after = edits.replace(nested, "dropout_1", name="new")
    assert [node.id for node in changed_nodes(after, nested)] == ["residual_1", "repeat_1", "dropout_1"]


@given(networks(), networks())
def test_the_tables_agree_with_each_other(before: Network, after: Network) -> None:
    rows = Rows()
    follow(rows, before)
    follow(rows, after)
    assert rows.children[ROOT][0] == INPUT
    for parent, numbers in rows.children.items():
        for place, number in enumerate(numbers):
            assert (rows.parents[number], rows.places[number]) == (parent, place)
    assert set(rows.parents) == {INPUT, *(rows.numbers[node.id] for node in after.walk())}


@given(networks())
def test_what_stays_the_same_takes_no_step(network: Network) -> None:
    rows = Rows()
    follow(rows, network)
    assert follow(rows, network) == []


def test_a_new_layer_is_one_step(lesson: Network) -> None:
    rows = Rows()
    follow(rows, lesson)
    node = lesson.fresh_ids().node(layer_type("Dropout")())
    after = edits.insert(lesson, Place(None, 3), [node])
    assert follow(rows, after) == [Insert(ROOT, 4, (node,))]


def test_deleting_neighbors_is_one_step(lesson: Network) -> None:
    rows = Rows()
    follow(rows, lesson)
    after = edits.remove(lesson, ["max_pooling2d_1", "conv2d_2"])
    assert follow(rows, after) == [Remove(ROOT, 2, 3)]


def test_a_moved_layer_is_one_step_in_either_direction(lesson: Network) -> None:
    rows = Rows()
    follow(rows, lesson)
    down = edits.move(lesson, ["conv2d_1"], Place(None, 6))
    assert follow(rows, down) == [Move(rows.numbers["conv2d_1"], ROOT, 7)]
    assert follow(rows, lesson) == [Move(rows.numbers["conv2d_1"], ROOT, 1)]


def test_unwrapping_moves_the_layers_out_before_their_group_goes(nested: Network) -> None:
    rows = Rows()
    follow(rows, nested)
    made = follow(rows, edits.unwrap(nested, "residual_1"))
    assert [type(step) for step in made] == [Move, Move, Remove]


def test_a_layer_that_comes_back_has_its_old_number(lesson: Network) -> None:
    rows = Rows()
    follow(rows, lesson)
    number = rows.numbers["conv2d_2"]
    follow(rows, edits.remove(lesson, ["conv2d_2"]))
    assert "conv2d_2" not in rows
    follow(rows, lesson)
    assert rows.numbers["conv2d_2"] == number
