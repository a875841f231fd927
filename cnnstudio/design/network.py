"""The network as a value. An edit makes a new one that shares what did not change, so undo is keeping the old one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import snake_case

MAXIMUM_DEPTH = 24
"""Groups inside groups. Deeper is no drawing any more, and recursion stays far from Python's limit."""

MAXIMUM_NODES = 20_000
"""Layers of one design, groups and their contents counted once each."""


@dataclass(frozen=True)
class Node:
    """One layer at its place. `id` is unique in the network, keeps its meaning over edits, and names the weights."""

    id: str
    layer: Layer
    name: str | None = None
    enabled: bool = True
    children: tuple[Node, ...] = ()

    @property
    def title(self) -> str:
        """What the list shows: the user's name for the layer, or its type."""
        return self.name or self.layer.type_name()

    @property
    def is_group(self) -> bool:
        return isinstance(self.layer, Group)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, from top to bottom of the list."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Place:
    """A gap in the list: before the child number `index` of group `parent`, or of the network where parent is None."""

    parent: str | None
    index: int


@dataclass(frozen=True)
class Network:
    """A list of layers for pictures of shape `input`."""

    input: Shape = field(default_factory=lambda: Shape.of(3, 32, 32))
    nodes: tuple[Node, ...] = ()
    name: str = "Untitled"

    def walk(self) -> Iterator[Node]:
        """All nodes, from top to bottom of the list."""
        for node in self.nodes:
            yield from node.walk()

    @cached_property
    def _places(self) -> dict[str, tuple[Node, Place]]:
        found: dict[str, tuple[Node, Place]] = {}

        def visit(nodes: tuple[Node, ...], parent: str | None) -> None:
            for index, node in enumerate(nodes):
                found[node.id] = (node, Place(parent, index))
                visit(node.children, node.id)

        visit(self.nodes, None)
        return found

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._places

    def __len__(self) -> int:
        """All layers, groups included."""
        return len(self._places)

    def node(self, node_id: str) -> Node:
        """The node of that id. Raises KeyError."""
        return self._places[node_id][0]

    def place(self, node_id: str) -> Place:
        """Where that node stands. Raises KeyError."""
        return self._places[node_id][1]

    def children(self, parent: str | None) -> tuple[Node, ...]:
        """The layers of a group, or of the network itself for None."""
        return self.nodes if parent is None else self.node(parent).children

    def depth(self, node_id: str | None) -> int:
        """How many groups the node stands in; 0 for None, the network itself."""
        depth = 0
        while node_id is not None:
            node_id = self.place(node_id).parent
            depth += node_id is not None
        return depth

    def ancestors(self, node_id: str) -> Iterator[str]:
        """The groups around a node, from the inside out."""
        parent = self.place(node_id).parent
        while parent is not None:
            yield parent
            parent = self.place(parent).parent

    def fresh_ids(self) -> IdMaker:
        """Makes ids that this network does not have."""
        return IdMaker(self._places)


class IdMaker:
    """Ids like `conv2d_3`: readable, also as names of weights, and free in a network."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._last: dict[str, int] = {}
        for node_id in taken:
            stem, _, number = node_id.rpartition("_")
            if number.isdecimal() and len(number) < 10:
                self._last[stem] = max(self._last.get(stem, 0), int(number))

    def __call__(self, layer: Layer) -> str:
        stem = snake_case(layer.type_name())
        self._last[stem] = self._last.get(stem, 0) + 1
        return f"{stem}_{self._last[stem]}"

    def node(self, layer: Layer, name: str | None = None, children: tuple[Node, ...] = ()) -> Node:
        """A new node for the layer."""
        return Node(self(layer), layer, name, children=children)

    def copy(self, node: Node) -> Node:
        """The node and all below it under new ids."""
        children = tuple(self.copy(child) for child in node.children)
        return Node(self(node.layer), node.layer, node.name, node.enabled, children)
