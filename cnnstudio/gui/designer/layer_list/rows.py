"""The rows of the layer list, and the changes that turn the rows of one network into those of another.

An item model must announce each insertion, move and removal before it happens, so that the view keeps its
selection, its expanded groups and its scroll position. A reset would lose all three. `row_changes` finds a
short sequence of such changes between any two networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.design.matching import longest_increasing_subsequence
from cnnstudio.design.network import Network, Node

ROOT = 0
"""The number of the invisible root, the parent of the top-level rows."""
INPUT = 1
"""The number of the first row, the network's input."""


@dataclass(frozen=True)
class Insert:
    """New children of `parent` from `row` on, with those of their descendants that have no row yet."""

    parent: int
    row: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Move:
    """Moves a row into `parent`, before the child that is at `row` before the move."""

    number: int
    parent: int
    row: int


@dataclass(frozen=True)
class Remove:
    """Removes the children `first` to `last` of `parent`, both included."""

    parent: int
    first: int
    last: int


RowChange = Insert | Move | Remove


class Rows:
    """The tree of rows, as tables of numbers. A node keeps its number even while it is removed.

    The numbers are the internal ids of the item model's indexes: Qt keeps those across changes, and an undo
    brings a node back under the same number. They are numbers because nodes would not do: each edit replaces
    the changed node by a new object, and PySide keeps no reference to the object in an index.

    Qt reads `children`, `parents` and `places` several times per row and frame, so they are plain
    dictionaries and lists.

    Invariant: `children[parents[n]][places[n]] == n` for every number that has a row.
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
        return self.numbers.get(node_id) in self.parents  # type: ignore[call-overload]  # `in` accepts any object

    def number(self, node_id: str) -> int:
        """The number of a node; a new one if it is seen for the first time."""
        # Numbers are never reused, so that an index of a removed row cannot come to mean another layer. The
        # tables grow by one entry for each layer ever shown, which is small.
        number = self.numbers.get(node_id)
        if number is None:
            number = self.numbers[node_id] = len(self.ids)
            self.ids.append(node_id)
        return number

    def apply(self, change: RowChange) -> None:
        """Applies one of `row_changes`."""
        match change:
            case Insert(parent, row, nodes):
                self._insert(parent, row, nodes)
            case Move(number, parent, row):
                self._move(number, parent, row)
            case Remove(parent, first, last):
                for number in self.children[parent][first : last + 1]:
                    self._discard(number)
                del self.children[parent][first : last + 1]
                self._renumber(parent)

    def _insert(self, parent: int, row: int, nodes: Sequence[Node]) -> None:
        # Only the rows of `nodes` are announced to Qt. It asks for the rows inside a new row when it needs
        # them, so their tables must be complete as soon as the insertion ends.
        numbers = [self.number(node.id) for node in nodes]
        self.children.setdefault(parent, [])[row:row] = numbers
        self.parents.update(dict.fromkeys(numbers, parent))
        self._renumber(parent)
        for node, number in zip(nodes, numbers, strict=True):
            # Children that have a row elsewhere are not created twice: they are moved in later, when
            # `row_changes` arranges this group, and keep their selection.
            if node.children:
                self._insert(number, 0, [child for child in node.children if child.id not in self])

    def _move(self, number: int, parent: int, row: int) -> None:
        # `row` counts with the moved row in its old place, as in Qt's beginMoveRows. Once the row is taken
        # out, those after it in the same list have moved up by one.
        source, place = self.parents[number], self.places[number]
        del self.children[source][place]
        shift = source == parent and place < row
        self.children.setdefault(parent, []).insert(row - shift, number)
        self.parents[number] = parent
        self._renumber(source)
        self._renumber(parent)

    def _discard(self, number: int) -> None:
        # Removing a row removes those inside it, for Qt as well, without an announcement of their own.
        for child in self.children.pop(number, ()):
            self._discard(child)
        del self.parents[number], self.places[number]

    def _renumber(self, parent: int) -> None:
        # O(siblings) for each change, so that `places` is a plain lookup for Qt's many questions.
        for place, number in enumerate(self.children[parent]):
            self.places[number] = place


def changed_nodes(network: Network, before: Network | None) -> Iterator[Node]:
    """The nodes that are not the same objects as in `before`, top to bottom.

    An edit shares every node that it does not touch, so this only visits the siblings along the path to the
    change, not the whole network.
    """

    def visit(nodes: tuple[Node, ...]) -> Iterator[Node]:
        for node in nodes:
            if before is None or node.id not in before or before.node(node.id) is not node:
                yield node
                yield from visit(node.children)

    return visit(network.nodes)


def row_changes(rows: Rows, network: Network, changed: Iterable[Node]) -> Iterator[RowChange]:
    """The changes that turn `rows` into those of `network`; only groups in `changed` may have other children.

    Lazy: each must be applied to `rows` before the next one is requested, as it builds on the result.

    Finding them takes O(n) for n rows, plus O(k log k) for each rearranged list of k rows. Applying a change
    takes O(k) more, for the rows that it renumbers.

    The order is such that each change is possible when it is announced:

    1. Removals, so that what is left of a list is already in it or comes from another one.
    2. Each list from top to bottom, groups before their contents (the order of `changed_nodes`). A row is
       thus moved into a group only when that has its final place. The groups around it have theirs, too, so
       that no row is ever moved into itself, which Qt refuses.
    3. Removals of groups that had to stay until their layers were moved out.
    """
    yield from _removals(rows, network)
    yield from _arrange(rows, ROOT, network.nodes)
    for node in changed:
        if node.is_group:
            yield from _arrange(rows, rows.number(node.id), node.children)
    # Groups that are gone but whose layers stay, as after unwrapping, are only empty now.
    yield from _removals(rows, network)


def _removals(rows: Rows, network: Network) -> Iterator[Remove]:
    """Removes what the network no longer contains, except groups with layers that stay.

    Adjacent rows go in one change, so that deleting a long selection costs the view one update.
    """
    # Found from the rows and not from the edit: undo, paste and opening a file all come here in the same way.
    ids, there = rows.ids, network.ids
    gone = [number for number in rows.parents if number != INPUT and ids[number] not in there]
    while gone:
        # It may be gone already, with its group or its neighbors.
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
    """Whether neither the row nor any row inside it is in the network."""
    if number == INPUT or rows.ids[number] in network:
        return False
    return all(_is_gone(rows, network, child) for child in rows.children.get(number, ()))


def _arrange(rows: Rows, parent: int, nodes: tuple[Node, ...]) -> Iterator[RowChange]:
    """Arranges the children of one parent.

    The rows of a longest subsequence that is already in order stay; all others move to their place between
    them. That is the smallest number of moves, so a drag of one layer past many is one change.
    """
    # Rows of this list that belong to another one are not in `wanted` and are left standing in between.
    # Arranging the other list moves them away; moving them here as well would cost a second change.
    wanted = [rows.number(node.id) for node in nodes]
    present = rows.children.get(parent, [])
    first = 1 if parent == ROOT else 0  # the input row, which is always there and is no node
    if wanted == present[first:]:
        return
    # The prefix is only a shortcut. The suffix need not be stripped: its rows are in order, so they are kept.
    position = _common_prefix(present[first:], wanted)
    row = first + position
    kept = _longest_in_order(present[row:], wanted[position:])
    while position < len(wanted):
        number = wanted[position]
        if number in rows.parents:
            # A row that is in its place already must not be moved: Qt refuses to move a row onto itself.
            if number not in kept and (rows.parents[number] != parent or rows.places[number] != row):
                yield Move(number, parent, row)
            # Looked up and not counted: rows of other lists may stand in between, and a row that was moved
            # down from above has shifted the rest.
            row = rows.places[number] + 1
            position += 1
        else:
            # Adjacent new rows go in one change, like adjacent removals: pasting a hundred layers is one
            # update.
            end = position + 1
            while end < len(wanted) and wanted[end] not in rows.parents:
                end += 1
            yield Insert(parent, row, nodes[position:end])
            row += end - position
            position = end


def _common_prefix(present: Sequence[int], wanted: Sequence[int]) -> int:
    """The length of the common prefix."""
    pairs = enumerate(zip(present, wanted, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(present), len(wanted)))


def _longest_in_order(present: Sequence[int], wanted: Sequence[int]) -> set[int]:
    """A largest set of numbers in `present` that have the same order in `wanted`. O(n log n)."""
    both = set(present).intersection(wanted)
    common = [number for number in present if number in both]
    # Nearly always one list is the other with some items removed: then everything in both is in order.
    if common == [number for number in wanted if number in both]:
        return both
    places = {number: place for place, number in enumerate(wanted)}
    return {common[index] for index in longest_increasing_subsequence([places[number] for number in common])}
