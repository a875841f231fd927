"""The network as a value. An edit makes a new one that shares what did not change; undo keeps the old one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, KeysView
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from cnnstudio.core.parameters import shorten
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import snake_case

MAXIMUM_DEPTH = 24
"""Groups inside groups. Deeper is no drawing any more, and recursion stays far from Python's limit."""

MAXIMUM_NODES = 20_000
"""Layers of one design, groups and their contents counted once each."""

MAXIMUM_INPUT = 1024
"""Channels, height and width of the images."""

LONGEST_NAME = 100
"""Characters of the name of a layer or a design."""

UNTITLED = "Untitled"

_COUNTED_DIGITS = 6


def clean_name(text: str | None) -> str | None:
    """A name as layers and designs can have it, on one line and not too long; None for nothing."""
    return shorten(text or "", LONGEST_NAME) or None


@dataclass(frozen=True)
class Node:
    """One layer at its place. `id` is unique in the network, stays over edits, and names the weights."""

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

    @property
    def has_branches(self) -> bool:
        """Whether the children stand side by side, each with the node's own input."""
        return isinstance(self.layer, Group) and self.layer.branches

    @property
    def is_transparent(self) -> bool:
        """Whether it is a group that does nothing itself; empty, it passes its input on."""
        return isinstance(self.layer, Group) and self.layer.transparent

    @property
    def is_active(self) -> bool:
        """Whether the node is part of the model: switched on, and no group in which nothing is.

        A transparent group is part of it with nothing in it too: as a branch it passes the input on.
        """
        if not self.enabled or not isinstance(self.layer, Group) or self.layer.transparent:
            return self.enabled
        return any(child.is_active for child in self.children)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, from top to bottom of the list."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_active(self) -> Iterator[Node]:
        """Those of them that are part of the model."""
        if self.is_active:
            yield self
            for child in self.children:
                yield from child.walk_active()


def with_ending(nodes: tuple[Node, ...], change: Callable[[Layer], Layer]) -> tuple[Node, ...]:
    """The nodes of a network with what `change` makes of the layer at their very end."""
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        if not node.is_active or (node.is_transparent and not any(each.is_active for each in node.children)):
            continue
        if node.is_transparent:
            node = dataclasses.replace(node, children=with_ending(node.children, change))
        else:
            node = dataclasses.replace(node, layer=change(node.layer))
        return (*nodes[:index], node, *nodes[index + 1 :])
    return nodes


def giving_logits(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes of a network without the softmax at their very end: that is left to the loss."""
    return with_ending(nodes, lambda layer: layer.without_softmax())


@dataclass(frozen=True)
class Place:
    """A gap in the list: before child number `index` of group `parent`; None is the network itself."""

    parent: str | None
    index: int


@dataclass(frozen=True)
class Network:
    """A list of layers for images of shape `input`, (channels, height, width)."""

    input: Shape = field(default_factory=lambda: Shape.of(3, 32, 32))
    nodes: tuple[Node, ...] = ()
    name: str = UNTITLED

    def __post_init__(self) -> None:
        if not self.input.is_image:
            raise ValueError(f"the input is an image, (channels, height, width), not {self.input}")

    def walk(self) -> Iterator[Node]:
        """All nodes, from top to bottom of the list."""
        for node in self.nodes:
            yield from node.walk()

    @cached_property
    def _places(self) -> dict[str, tuple[Node, str | None, int]]:
        """Id -> the node, its parent and its index there. Most places are never asked for as a Place."""
        found: dict[str, tuple[Node, str | None, int]] = {}

        def visit(nodes: tuple[Node, ...], parent: str | None) -> None:
            for index, node in enumerate(nodes):
                found[node.id] = (node, parent, index)
                if node.children:
                    visit(node.children, node.id)

        visit(self.nodes, None)
        return found

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._places

    def __len__(self) -> int:
        """All nodes, groups included."""
        return len(self._places)

    @property
    def ids(self) -> KeysView[str]:
        """Those of all nodes, from top to bottom of the list."""
        return self._places.keys()

    @cached_property
    def layer_count(self) -> int:
        """Layers without the groups that hold them: how many a person would count."""
        return sum(not node.is_group for node, _, _ in self._places.values())

    def node(self, node_id: str) -> Node:
        """The node of that id. Raises KeyError."""
        return self._places[node_id][0]

    def place(self, node_id: str) -> Place:
        """Where that node stands. Raises KeyError."""
        _, parent, index = self._places[node_id]
        return Place(parent, index)

    def children(self, parent: str | None) -> tuple[Node, ...]:
        """The layers of a group, or of the network itself for None."""
        return self.nodes if parent is None else self.node(parent).children

    def depth(self, node_id: str | None) -> int:
        """How many groups the node stands in; 0 for None, the network itself."""
        return 0 if node_id is None else sum(1 for _ in self.ancestors(node_id))

    def ancestors(self, node_id: str) -> Iterator[str]:
        """The groups around a node, from the inside out."""
        parent = self._places[node_id][1]
        while parent is not None:
            yield parent
            parent = self._places[parent][1]

    def fresh_ids(self) -> IdMaker:
        """Makes ids that this network does not have."""
        return IdMaker(self._places)


class IdMaker:
    """Ids like `conv2d_3`: readable, also as names of weights, and free in a network.

    The number is one more than the largest of its kind: an id should not come to mean another layer.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = taken
        self._last: dict[str, int] = {}

    def __call__(self, layer: Layer) -> str:
        stem = snake_case(layer.type_name())
        number = self._last[stem] if stem in self._last else self._largest(f"{stem}_")
        # A design written by hand can hold numbers that are not counted on from.
        number = next(free for free in count(number + 1) if f"{stem}_{free}" not in self._taken)
        self._last[stem] = number
        return f"{stem}_{number}"

    def _largest(self, prefix: str) -> int:
        ends = [node_id.removeprefix(prefix) for node_id in self._taken if node_id.startswith(prefix)]
        return max((int(end) for end in ends if end.isdecimal() and len(end) <= _COUNTED_DIGITS), default=0)

    def node(self, layer: Layer, name: str | None = None, children: tuple[Node, ...] = ()) -> Node:
        """A new node for the layer."""
        return Node(self(layer), layer, name, children=children)

    def copy(self, node: Node) -> Node:
        """The node and all below it under new ids."""
        children = tuple(self.copy(child) for child in node.children)
        return Node(self(node.layer), node.layer, node.name, node.enabled, children)
