"""The rows of the layer list, and the steps that lead from the rows of one network to those of another.

An item model has to announce each insertion, move and removal before it happens, so that the view keeps its
selection, its open groups and its place. `steps` finds few such steps for any two networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.design.matching import rising
from cnnstudio.design.network import Network, Node

ROOT = 0
"""The number of what is above all rows."""
INPUT = 1
"""The number of the first row, the network's input."""


@dataclass(frozen=True)
class Insert:
    """New nodes, with what is in them and not yet in the rows, as children of `parent` from `row` on."""

    parent: int
    row: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Move:
    """One row to `parent`, before the child that stands at `row` before the move."""

    number: int
    parent: int
    row: int


@dataclass(frozen=True)
class Remove:
    """The children `first` to `last` of `parent`, both included."""

    parent: int
    first: int
    last: int


Step = Insert | Move | Remove


class Rows:
    """Which node stands where, in numbers. A node keeps its number, also while it is away.

    Qt asks for `children`, `parents` and `places` several times a row and frame, so they are plain tables.
    """

    def __init__(self) -> None:
        self.ids = ["", ""]
        """Number -> id of the node; empty for ROOT and INPUT."""
        self.numbers: dict[str, int] = {}
        self.children: dict[int, list[int]] = {ROOT: [INPUT]}
        self.parents = {INPUT: ROOT}
        self.places = {INPUT: 0}
        """Number -> row among the children of its parent."""

    def __contains__(self, node_id: object) -> bool:
        return self.numbers.get(node_id) in self.parents  # type: ignore[call-overload]  # any object may be asked for

    def number(self, node_id: str) -> int:
        """The node's number; a new one where it was never seen."""
        number = self.numbers.get(node_id)
        if number is None:
            number = self.numbers[node_id] = len(self.ids)
            self.ids.append(node_id)
        return number

    def apply(self, step: Step) -> None:
        """Makes one of `steps`."""
        match step:
            case Insert(parent, row, nodes):
                self._insert(parent, row, nodes)
            case Move(number, parent, row):
                self._move(number, parent, row)
            case Remove(parent, first, last):
                for number in self.children[parent][first : last + 1]:
                    self._forget(number)
                del self.children[parent][first : last + 1]
                self._count(parent)

    def _insert(self, parent: int, row: int, nodes: Sequence[Node]) -> None:
        numbers = [self.number(node.id) for node in nodes]
        self.children.setdefault(parent, [])[row:row] = numbers
        self.parents.update(dict.fromkeys(numbers, parent))
        self._count(parent)
        for node, number in zip(nodes, numbers, strict=True):
            if node.children:
                self._insert(number, 0, [child for child in node.children if child.id not in self])

    def _move(self, number: int, parent: int, row: int) -> None:
        source, place = self.parents[number], self.places[number]
        del self.children[source][place]
        shift = source == parent and place < row
        self.children.setdefault(parent, []).insert(row - shift, number)
        self.parents[number] = parent
        self._count(source)
        self._count(parent)

    def _forget(self, number: int) -> None:
        for child in self.children.pop(number, ()):
            self._forget(child)
        del self.parents[number], self.places[number]

    def _count(self, parent: int) -> None:
        for place, number in enumerate(self.children[parent]):
            self.places[number] = place


def changed_nodes(network: Network, before: Network | None) -> Iterator[Node]:
    """The nodes that are other objects than before, top to bottom. An edit shares what it did not touch."""

    def visit(nodes: tuple[Node, ...]) -> Iterator[Node]:
        for node in nodes:
            if before is None or node.id not in before or before.node(node.id) is not node:
                yield node
                yield from visit(node.children)

    return visit(network.nodes)


def steps(rows: Rows, network: Network, changed: Iterable[Node]) -> Iterator[Step]:
    """What makes `rows` those of `network`, of which at most the nodes `changed` are new to them.

    Each step has to be applied before the next is asked for.
    """
    yield from _removals(rows, network)
    yield from _arrange(rows, ROOT, network.nodes)
    for node in changed:
        if node.is_group:
            yield from _arrange(rows, rows.number(node.id), node.children)
    # Groups that went but whose layers stayed, as after unwrapping, are empty only now.
    yield from _removals(rows, network)


def _removals(rows: Rows, network: Network) -> Iterator[Remove]:
    """Takes out what the network no longer has, where nothing in it stays."""
    ids, there = rows.ids, network.ids
    gone = [number for number in rows.parents if number != INPUT and ids[number] not in there]
    while gone:
        number = gone.pop()
        if number not in rows.parents or not _is_gone(rows, network, number):
            continue
        parent, first = rows.parents[number], rows.places[number]
        siblings, last = rows.children[parent], first
        while first > 0 and _is_gone(rows, network, siblings[first - 1]):
            first -= 1
        while last + 1 < len(siblings) and _is_gone(rows, network, siblings[last + 1]):
            last += 1
        yield Remove(parent, first, last)


def _is_gone(rows: Rows, network: Network, number: int) -> bool:
    """Whether neither the row nor anything in it is in the network."""
    if number == INPUT or rows.ids[number] in network:
        return False
    return all(_is_gone(rows, network, child) for child in rows.children.get(number, ()))


def _arrange(rows: Rows, parent: int, nodes: tuple[Node, ...]) -> Iterator[Step]:
    """Brings the children of one list into order: what stays in order is left alone, the rest comes to it."""
    wanted = [rows.number(node.id) for node in nodes]
    present = rows.children.get(parent, [])
    first = 1 if parent == ROOT else 0
    if wanted == present[first:]:
        return
    position = _shared_beginning(present[first:], wanted)
    row = first + position
    staying = _longest_in_order(present[row:], wanted[position:])
    while position < len(wanted):
        number = wanted[position]
        if number in rows.parents:
            if number not in staying and (rows.parents[number] != parent or rows.places[number] != row):
                yield Move(number, parent, row)
            row = rows.places[number] + 1
            position += 1
        else:
            end = position + 1
            while end < len(wanted) and wanted[end] not in rows.parents:
                end += 1
            yield Insert(parent, row, nodes[position:end])
            row += end - position
            position = end


def _shared_beginning(present: Sequence[int], wanted: Sequence[int]) -> int:
    """How many numbers stand at the beginning of both."""
    pairs = enumerate(zip(present, wanted, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(present), len(wanted)))


def _longest_in_order(present: Sequence[int], wanted: Sequence[int]) -> set[int]:
    """The most of `present` that stand in `wanted` in the same order."""
    both = set(present).intersection(wanted)
    common = [number for number in present if number in both]
    # Nearly always one list is the other with some taken out, and all that is in both is in order.
    if common == [number for number in wanted if number in both]:
        return both
    places = {number: place for place, number in enumerate(wanted)}
    return {common[index] for index in rising([places[number] for number in common])}
