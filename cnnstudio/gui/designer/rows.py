"""The rows of the layer list, and the steps that lead from the rows of one network to those of another.

An item model has to announce each insertion, move and removal before it happens, so that the view keeps its
selection, its open groups and its place. `steps` finds few such steps for any two networks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.design.network import Network, Node


@dataclass(frozen=True)
class Insert:
    """New nodes, with what is in them and not yet in the rows, as children of `parent` from `row` on."""

    parent: str | None
    row: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Move:
    """One node to `parent`, before the child that stands at `row` before the move."""

    node_id: str
    parent: str | None
    row: int


@dataclass(frozen=True)
class Remove:
    """The children `first` to `last` of `parent`, both included."""

    parent: str | None
    first: int
    last: int


Step = Insert | Move | Remove


class Rows:
    """Which id stands where: the shape of the list without the layers themselves."""

    def __init__(self) -> None:
        self._children: dict[str | None, list[str]] = {None: []}
        self._parents: dict[str, str | None] = {}
        self._rows: dict[str, int] = {}

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._parents

    def __iter__(self) -> Iterator[str]:
        return iter(self._parents)

    def children(self, parent: str | None) -> Sequence[str]:
        return self._children.get(parent, ())

    def parent(self, node_id: str) -> str | None:
        return self._parents[node_id]

    def row(self, node_id: str) -> int:
        return self._rows[node_id]

    def apply(self, step: Step) -> None:
        """Makes one of `steps`."""
        match step:
            case Insert(parent, row, nodes):
                self._insert(parent, row, [node for node in nodes if node.id not in self])
            case Move(node_id, parent, row):
                self._move(node_id, parent, row)
            case Remove(parent, first, last):
                for node_id in self._children[parent][first : last + 1]:
                    self._forget(node_id)
                del self._children[parent][first : last + 1]
                self._number(parent)

    def _insert(self, parent: str | None, row: int, nodes: Sequence[Node]) -> None:
        siblings = self._children.setdefault(parent, [])
        siblings[row:row] = [node.id for node in nodes]
        for node in nodes:
            self._parents[node.id] = parent
        self._number(parent)
        for node in nodes:
            if node.children:
                self._insert(node.id, 0, [child for child in node.children if child.id not in self])

    def _move(self, node_id: str, parent: str | None, row: int) -> None:
        source, index = self._parents[node_id], self._rows[node_id]
        del self._children[source][index]
        shift = source == parent and index < row
        self._children.setdefault(parent, []).insert(row - shift, node_id)
        self._parents[node_id] = parent
        self._number(source)
        self._number(parent)

    def _forget(self, node_id: str) -> None:
        for child in self._children.pop(node_id, ()):
            self._forget(child)
        del self._parents[node_id], self._rows[node_id]

    def _number(self, parent: str | None) -> None:
        for row, node_id in enumerate(self._children[parent]):
            self._rows[node_id] = row


def steps(rows: Rows, network: Network) -> Iterator[Step]:
    """What makes `rows` those of `network`. Each step has to be applied before the next is asked for."""
    yield from _removals(rows, network)
    yield from _arrange(rows, None, network.nodes)
    for node in network.walk():
        if node.is_group:
            yield from _arrange(rows, node.id, node.children)
    # Groups that went but whose layers stayed, as after unwrapping, are empty only now.
    yield from _removals(rows, network)


def _removals(rows: Rows, network: Network) -> Iterator[Remove]:
    """Takes out what the network no longer has, where nothing in it stays."""
    gone = [node_id for node_id in rows if node_id not in network]
    while gone:
        node_id = gone.pop()
        if node_id not in rows or _keeps_something(rows, network, node_id):
            continue
        parent, first = rows.parent(node_id), rows.row(node_id)
        siblings, last = rows.children(parent), first
        while first > 0 and _is_gone(rows, network, siblings[first - 1]):
            first -= 1
        while last + 1 < len(siblings) and _is_gone(rows, network, siblings[last + 1]):
            last += 1
        yield Remove(parent, first, last)


def _is_gone(rows: Rows, network: Network, node_id: str) -> bool:
    return node_id not in network and not _keeps_something(rows, network, node_id)


def _keeps_something(rows: Rows, network: Network, node_id: str) -> bool:
    return any(child in network or _keeps_something(rows, network, child) for child in rows.children(node_id))


def _arrange(rows: Rows, parent: str | None, nodes: tuple[Node, ...]) -> Iterator[Step]:
    """Brings the children of one list into order: what stays in order is left alone, the rest comes to it."""
    wanted = [node.id for node in nodes]
    if wanted == rows.children(parent):
        return
    staying = _longest_in_order(rows.children(parent), wanted)
    row = position = 0
    while position < len(wanted):
        node_id = wanted[position]
        if node_id in staying:
            row = rows.row(node_id) + 1
            position += 1
        elif node_id in rows:
            if rows.parent(node_id) != parent or rows.row(node_id) != row:
                yield Move(node_id, parent, row)
            row = rows.row(node_id) + 1
            position += 1
        else:
            end = position + 1
            while end < len(wanted) and wanted[end] not in rows:
                end += 1
            yield Insert(parent, row, nodes[position:end])
            row += end - position
            position = end


def _longest_in_order(present: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """The most ids of `present` that stand in `wanted` in the same order (longest increasing subsequence)."""
    places = {node_id: place for place, node_id in enumerate(wanted)}
    common = [(places[node_id], node_id) for node_id in present if node_id in places]
    ends: list[int] = []
    tails: list[int] = []
    before: list[int | None] = []
    for index, (place, _) in enumerate(common):
        length = bisect_left(ends, place)
        before.append(tails[length - 1] if length else None)
        if length == len(ends):
            ends.append(place)
            tails.append(index)
        else:
            ends[length] = place
            tails[length] = index
    result = set()
    last = tails[-1] if tails else None
    while last is not None:
        result.add(common[last][1])
        last = before[last]
    return result
