"""Hypothesis strategies for layers, networks and edits. Needs neither torch nor Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cnnstudio.core.parameters import Choice, Flag, Integer, Number, Pair, Parameter, Sides, parameters
from cnnstudio.design import edits
from cnnstudio.design.network import IdGenerator, Network, Node, Place
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import layer_types

Draw = Callable[[st.SearchStrategy[Any]], Any]

PLAIN_TYPES = [kind for kind in layer_types().values() if not issubclass(kind, Group)]
GROUP_TYPES = [kind for kind in layer_types().values() if issubclass(kind, Group)]

_ODD_CHARACTERS = 'aß 中🙂\n\t\0\x1b\u2028\u202e\ud800"\\{}'
"""Letters, whitespace, terminal controls, line separators, a bidirectional override, and a lone surrogate."""

rarely = st.sampled_from([False] * 11 + [True])

names = st.none() | st.sampled_from(["stem", "Größe", "第一层", "🙂", 'a "quoted" \\ name', "{source}"])


def values(parameter: Parameter, *, largest: int | None = 8) -> st.SearchStrategy[Any]:
    """Valid values of the parameter; integers up to `largest`, or from the whole range for None."""
    match parameter:
        case Integer():
            return st.integers(parameter.minimum, _smaller(parameter.maximum, largest))
        case Number():
            return st.floats(parameter.minimum, parameter.maximum)
        case Choice():
            return st.sampled_from(parameter.choices)
        case Flag():
            return st.booleans()
        case Pair():
            side = st.integers(parameter.minimum, _smaller(parameter.maximum, largest and min(largest, 5)))
            pairs = st.tuples(side, side)
            return st.none() | pairs if parameter.optional else pairs
        case Sides():
            side = st.integers(parameter.minimum, _smaller(parameter.maximum, largest and min(largest, 3)))
            return st.tuples(st.tuples(side, side), st.tuples(side, side))
    raise AssertionError(f"no strategy for {parameter}")


def _smaller(maximum: int, largest: int | None) -> int:
    return maximum if largest is None else min(maximum, largest)


def layers_of(kind: type[Layer], *, largest: int | None = 8) -> st.SearchStrategy[Layer]:
    """Values of one layer type."""
    fields = {parameter.name: values(parameter, largest=largest) for parameter in parameters(kind)}
    return st.fixed_dictionaries(fields).map(lambda chosen: kind(**chosen))


def plain_layers(*, largest: int | None = 8) -> st.SearchStrategy[Layer]:
    """Layers that are not groups."""
    return st.sampled_from(PLAIN_TYPES).flatmap(lambda kind: layers_of(kind, largest=largest))


def groups(*, largest: int | None = 8) -> st.SearchStrategy[Group]:
    """Groups without contents; a Repeat has at most `largest` copies."""
    return st.sampled_from(GROUP_TYPES).flatmap(lambda kind: layers_of(kind, largest=largest))  # type: ignore[arg-type, return-value]  # they are groups


shapes = st.builds(Shape.of, st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))
"""Input shapes."""


@st.composite
def nodes(draw: Draw, ids: IdGenerator, depth: int = 2, *, largest: int | None = 8) -> Node:
    """One node with a new id; groups are nested at most `depth` levels deep."""
    enabled = not draw(rarely)
    if depth and draw(st.integers(0, 3)) == 0:
        inside = draw(st.lists(nodes(ids, depth - 1, largest=largest), max_size=3))
        group = draw(groups(largest=largest and min(largest, 4)))
        return Node(ids(group), group, draw(names), enabled, tuple(inside), not draw(rarely))
    layer = draw(plain_layers(largest=largest))
    trainable = layer.has_trainable_parameter() or not draw(rarely)
    return Node(ids(layer), layer, draw(names), enabled, trainable=trainable)


@st.composite
def networks(draw: Draw, *, most: int = 6, depth: int = 2, largest: int | None = 8) -> Network:
    """Any networks, most of them with problems."""
    ids = IdGenerator()
    inside = draw(st.lists(nodes(ids, depth, largest=largest), min_size=not draw(rarely), max_size=most))
    return Network(draw(shapes), tuple(inside), draw(names) or "Drawn")


@dataclass(frozen=True)
class Edit:
    """One call of a function of `design.edits`; `description` is shown for a failing example."""

    description: str
    make: Callable[[Network], Network]

    def __repr__(self) -> str:
        return self.description


@st.composite
def places(draw: Draw, network: Network) -> Place:
    """Places in the network; rarely beyond the end of a list, in a layer that is not a group, or unknown."""
    if draw(rarely):
        parent = draw(st.sampled_from([*(node.id for node in network.walk()), "ghost_1"]))
        return Place(parent, draw(st.integers(-1, 9)))
    parent = draw(st.sampled_from([None, None, *(node.id for node in network.walk() if node.is_group)]))
    return Place(parent, draw(st.integers(0, len(network.children(parent)))))


@st.composite
def some_ids(draw: Draw, network: Network) -> list[str]:
    """Ids of the network, neighbors or any; rarely an unknown one."""
    if draw(rarely) or not len(network):
        return ["ghost_1"]
    if draw(st.booleans()):
        known = [node.id for node in network.walk()]
        return draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    lists = [network.nodes, *(node.children for node in network.walk())]
    siblings = draw(st.sampled_from([nodes for nodes in lists if nodes]))
    first = draw(st.integers(0, len(siblings) - 1))
    return [node.id for node in siblings[first : draw(st.integers(first + 1, len(siblings)))]]


_EDITS = (
    *("insert", "remove", "move", "replace", "rename", "enable", "lock", "duplicate"),
    *("wrap", "unwrap", "input"),
)


@st.composite
def network_edits(draw: Draw, network: Network) -> Edit:
    """Edits of this network, valid and invalid ones."""
    kind = draw(st.sampled_from(_EDITS))
    ids = draw(some_ids(network))
    one = ids[0]
    if kind == "insert":
        place = draw(places(network))
        new = draw(st.lists(nodes(network.fresh_ids(), 1), min_size=not draw(rarely), max_size=2))
        # A node that is already in the network cannot be inserted again.
        new += [network.node(one)] if one in network and draw(rarely) else []
        return Edit(f"insert {new} at {place}", lambda value: edits.insert(value, place, new))
    if kind == "remove":
        return Edit(f"remove {ids}", lambda value: edits.remove(value, ids))
    if kind == "move":
        place = draw(places(network))
        return Edit(f"move {ids} to {place}", lambda value: edits.move(value, ids, place))
    if kind == "replace":
        known = one in network and not draw(rarely)
        kind = type(network.node(one).layer) if known else draw(st.sampled_from(PLAIN_TYPES))
        layer = draw(layers_of(kind))
        return Edit(f"replace {one} by {layer}", lambda value: edits.replace(value, one, layer=layer))
    if kind == "rename":
        name = draw(names | st.text(_ODD_CHARACTERS, max_size=150))
        return Edit(f"rename {one} {name!r}", lambda value: edits.replace(value, one, name=name))
    if kind == "enable":
        on = draw(st.booleans())
        return Edit(f"enable {one} {on}", lambda value: edits.replace(value, one, enabled=on))
    if kind == "lock":
        learns = draw(st.booleans())
        return Edit(f"lock {ids} {learns}", lambda value: edits.set_trainable(value, ids, learns))
    if kind == "duplicate":
        return Edit(f"duplicate {ids}", lambda value: edits.duplicate(value, ids)[0])
    if kind == "wrap":
        group = draw(groups(largest=4))
        return Edit(f"wrap {ids} in {group}", lambda value: edits.wrap(value, ids, group)[0])
    if kind == "unwrap":
        groups_first = [node.id for node in network.walk() if node.is_group] or [one]
        group_id = draw(st.sampled_from([*groups_first, one]))
        return Edit(f"unwrap {group_id}", lambda value: edits.unwrap(value, group_id))
    shape = draw(shapes | st.sampled_from([Shape.of(9), Shape.of(3, 2000, 8)]))
    return Edit(f"input {shape}", lambda value: edits.set_input(value, shape))
