"""The network as an immutable value. An edit returns a new one that shares all unchanged nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, KeysView
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count

from cnnstudio.core.parameters import shorten
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import snake_case

MAXIMUM_DEPTH = 24
"""Levels of nested groups. No design needs more, and recursion stays far below Python's limit."""

MAXIMUM_NODES = 20_000
"""Nodes of one design: layers and groups, each counted once even inside a Repeat."""

MAXIMUM_INPUT = 1024
"""The limit for each of channels, height and width of the input."""

MAXIMUM_NAME_LENGTH = 100
"""Characters in the name of a layer or a design."""

UNTITLED = "Untitled"

_COUNTED_DIGITS = 6


def clean_name(text: str | None) -> str | None:
    """The text as a name for a layer or a design: one line of limited length; None if nothing is left."""
    return shorten(text or "", MAXIMUM_NAME_LENGTH) or None


@dataclass(frozen=True)
class Node:
    """One layer in a network.

    The id is unique in the network, never changes, and names the layer's weights in checkpoints.
    """

    id: str
    layer: Layer
    name: str | None = None
    enabled: bool = True
    children: tuple[Node, ...] = ()
    trainable: bool = True
    """Keras's word. If not, training leaves the weights of the layer, or of everything in the group, alone.

    True for a layer type with a parameter of that name, which says it there.
    """

    @property
    def title(self) -> str:
        """The name shown to the user: the one they gave the layer, or else its type."""
        return self.name or self.layer.type_name()

    @property
    def is_group(self) -> bool:
        return isinstance(self.layer, Group)

    @property
    def has_branches(self) -> bool:
        """Whether the children run in parallel, each with the node's own input."""
        return isinstance(self.layer, Group) and self.layer.has_branches

    @property
    def is_transparent(self) -> bool:
        """Whether it is a group that does nothing itself and passes its input through if it is empty."""
        return isinstance(self.layer, Group) and self.layer.is_transparent

    @property
    def is_active(self) -> bool:
        """Whether the node is part of the model: enabled, and not a group without active layers.

        A transparent group is active even if it is empty: as a branch it passes its input through.
        """
        if not self.enabled or not isinstance(self.layer, Group) or self.layer.is_transparent:
            return self.enabled
        return any(child.is_active for child in self.children)

    def walk(self) -> Iterator[Node]:
        """This node and everything inside it, in the order of the layer list."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_active(self) -> Iterator[Node]:
        """The active ones of `walk`."""
        if self.is_active:
            yield self
            for child in self.children:
                yield from child.walk_active()


def map_last_layer(nodes: tuple[Node, ...], change: Callable[[Layer], Layer]) -> tuple[Node, ...]:
    """The nodes of a network with `change` applied to the last active layer, also if it is inside a Block."""
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        if not node.is_active or (node.is_transparent and not any(each.is_active for each in node.children)):
            continue
        if node.is_transparent:
            node = dataclasses.replace(node, children=map_last_layer(node.children, change))
        else:
            node = dataclasses.replace(node, layer=change(node.layer))
        return (*nodes[:index], node, *nodes[index + 1 :])
    return nodes


def without_final_softmax(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes of a network without a softmax at the end, so that it outputs logits, as the loss expects."""
    return map_last_layer(nodes, lambda layer: layer.without_softmax())


@dataclass(frozen=True)
class Place:
    """A position in the list: before child number `index` of the group `parent`; None for the network."""

    parent: str | None
    index: int


@dataclass(frozen=True)
class Network:
    """A design: a sequence of layers for images of shape `input`, C × H × W.

    Raises ValueError if the input is flat.
    """

    input: Shape = field(default_factory=lambda: Shape.of(3, 32, 32))
    nodes: tuple[Node, ...] = ()
    name: str = UNTITLED
    weights: str | None = None
    """The name of the pretrained weights that training starts from; None for random initial weights."""

    def __post_init__(self) -> None:
        if not self.input.is_image:
            raise ValueError(f"the input must be an image (channels, height, width), got {self.input}")

    def walk(self) -> Iterator[Node]:
        """All nodes, in the order of the layer list."""
        for node in self.nodes:
            yield from node.walk()

    @cached_property
    def _places(self) -> dict[str, tuple[Node, str | None, int]]:
        """Id -> node, parent and index. Place objects are made on demand, because most are never needed."""
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
        """The number of all nodes, groups included."""
        return len(self._places)

    @property
    def ids(self) -> KeysView[str]:
        """The ids of all nodes, in the order of the layer list."""
        return self._places.keys()

    @cached_property
    def layer_count(self) -> int:
        """The number of layers without groups, as a person would count them."""
        return sum(not node.is_group for node, _, _ in self._places.values())

    def node(self, node_id: str) -> Node:
        """The node with this id. Raises KeyError."""
        return self._places[node_id][0]

    def place(self, node_id: str) -> Place:
        """The position of the node with this id. Raises KeyError."""
        _, parent, index = self._places[node_id]
        return Place(parent, index)

    def children(self, parent: str | None) -> tuple[Node, ...]:
        """The nodes of a group, or of the network for None. Raises KeyError."""
        return self.nodes if parent is None else self.node(parent).children

    def depth(self, node_id: str | None) -> int:
        """The number of groups around the node; 0 for None, the network."""
        return 0 if node_id is None else sum(1 for _ in self.ancestors(node_id))

    def ancestors(self, node_id: str) -> Iterator[str]:
        """The ids of the groups around a node, innermost first."""
        parent = self._places[node_id][1]
        while parent is not None:
            yield parent
            parent = self._places[parent][1]

    @cached_property
    def locked_ids(self) -> frozenset[str]:
        """The ids of the nodes that do not learn: the locked ones, and everything inside them."""
        return frozenset(
            inner.id for node, _, _ in self._places.values() if not node.trainable for inner in node.walk()
        )

    def fresh_ids(self) -> IdGenerator:
        """A generator of ids that this network does not contain."""
        return IdGenerator(self._places)


class IdGenerator:
    """Generates ids like `conv2d_3`, which are readable as names of weights too, and not in `taken`.

    The number is one more than the largest in use for the type, not the first free one: an id that was used
    in an earlier version of the design should not come to mean another layer, whose weights would not fit.
    """

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = taken
        self._last: dict[str, int] = {}

    def __call__(self, layer: Layer) -> str:
        stem = snake_case(layer.type_name())
        number = self._last[stem] if stem in self._last else self._largest(f"{stem}_")
        # A design written by hand may contain numbers that _largest ignores, with leading zeros for example.
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
        """A copy of the node and of everything inside it, with new ids."""
        children = tuple(self.copy(child) for child in node.children)
        return replace(node, id=self(node.layer), children=children)
