"""The changes between two lists of rows: right for any two networks, few for common edits."""

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
    RowChange,
    Rows,
    changed_nodes,
    row_changes,
)
from cnnstudio.layers.catalog import layer_type
from tests.strategies import network_edits, networks


def update(rows: Rows, network: Network, before: Network | None = None) -> list[RowChange]:
    applied = []
    for change in row_changes(rows, network, list(changed_nodes(network, before))):
        rows.apply(change)
        applied.append(change)
    return applied


def tree(rows: Rows, parent: int = ROOT) -> list[object]:
    """The rows as nested lists of ids."""
    return [
        [rows.ids[number], tree(rows, number)] for number in rows.children.get(parent, ()) if number != INPUT
    ]


def wanted(network: Network, parent: str | None = None) -> list[object]:
    return [[node.id, wanted(network, node.id)] for node in network.children(parent)]


@given(networks(), networks())
def test_any_network_can_be_turned_into_any_other(before: Network, after: Network) -> None:
    rows = Rows()
    update(rows, before)
    assert tree(rows) == wanted(before)
    update(rows, after, before)
    assert tree(rows) == wanted(after)


@given(networks(), st.data())
def test_edits_that_share_untouched_nodes_are_followed(network: Network, data: st.DataObject) -> None:
    rows = Rows()
    update(rows, network)
    for _ in range(4):
        before = network
        with suppress(EditError):
            network = data.draw(network_edits(network)).make(network)
        update(rows, network, before)
        assert tree(rows) == wanted(network)


def test_only_nodes_on_the_path_to_an_edit_are_changed(nested: Network) -> None:
    after = edits.replace(nested, "dropout_1", name="new")
    assert [node.id for node in changed_nodes(after, nested)] == ["residual_1", "repeat_1", "dropout_1"]


@given(networks(), networks())
def test_the_tables_are_consistent(before: Network, after: Network) -> None:
    rows = Rows()
    update(rows, before)
    update(rows, after)
    assert rows.children[ROOT][0] == INPUT
    for parent, numbers in rows.children.items():
        for index, number in enumerate(numbers):
            assert (rows.parents[number], rows.places[number]) == (parent, index)
    assert set(rows.parents) == {INPUT, *(rows.numbers[node.id] for node in after.walk())}


@given(networks())
def test_an_unchanged_network_needs_no_change(network: Network) -> None:
    rows = Rows()
    update(rows, network)
    assert update(rows, network) == []


def test_a_new_layer_is_one_change(lesson: Network) -> None:
    rows = Rows()
    update(rows, lesson)
    node = lesson.fresh_ids().node(layer_type("Dropout")())
    after = edits.insert(lesson, Place(None, 3), [node])
    assert update(rows, after) == [Insert(ROOT, 4, (node,))]


def test_deleting_adjacent_layers_is_one_change(lesson: Network) -> None:
    rows = Rows()
    update(rows, lesson)
    after = edits.remove(lesson, ["max_pooling2d_1", "conv2d_2"])
    assert update(rows, after) == [Remove(ROOT, 2, 3)]


def test_a_moved_layer_is_one_change_in_either_direction(lesson: Network) -> None:
    rows = Rows()
    update(rows, lesson)
    down = edits.move(lesson, ["conv2d_1"], Place(None, 6))
    assert update(rows, down) == [Move(rows.numbers["conv2d_1"], ROOT, 7)]
    assert update(rows, lesson) == [Move(rows.numbers["conv2d_1"], ROOT, 1)]


def test_unwrapping_moves_the_layers_out_before_removing_the_group(nested: Network) -> None:
    rows = Rows()
    update(rows, nested)
    changes = update(rows, edits.unwrap(nested, "residual_1"))
    assert [type(change) for change in changes] == [Move, Move, Remove]


def test_a_restored_layer_gets_its_old_number(lesson: Network) -> None:
    rows = Rows()
    update(rows, lesson)
    number = rows.numbers["conv2d_2"]
    update(rows, edits.remove(lesson, ["conv2d_2"]))
    assert "conv2d_2" not in rows
    update(rows, lesson)
    assert rows.numbers["conv2d_2"] == number
