"""Edits: Network -> Network. What an edit did not touch is the same object afterwards.

Each raises EditError, in words for the user, where the edit makes no sense; nothing else goes wrong.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Iterable, Sequence

from cnnstudio.core.errors import UserError
from cnnstudio.design.network import (
    MAXIMUM_DEPTH,
    MAXIMUM_INPUT,
    MAXIMUM_NODES,
    UNTITLED,
    Network,
    Node,
    Place,
    clean_name,
)
from cnnstudio.layers.base import Group, Layer, Shape


class EditError(UserError):
    """An edit that makes no sense, such as moving a group into itself."""


def insert(network: Network, place: Place, nodes: Sequence[Node]) -> Network:
    """`nodes` at `place`; their ids must be new (`network.fresh_ids()`)."""
    added = [node.id for new in nodes for node in new.walk()]
    if len(set(added)) < len(added) or any(node_id in network for node_id in added):
        raise EditError("a layer with this id is in the network already; paste it as a copy")
    if len(network) + len(added) > MAXIMUM_NODES:
        raise EditError(f"a design has at most {MAXIMUM_NODES:,} layers")
    _require_group(network, place.parent)
    if not nodes:
        return network
    depth = 0 if place.parent is None else network.depth(place.parent) + 1
    if depth + max(map(_height, nodes)) > MAXIMUM_DEPTH:
        raise EditError(f"groups can stand at most {MAXIMUM_DEPTH} deep in each other")

    def put(children: tuple[Node, ...]) -> tuple[Node, ...]:
        index = min(max(place.index, 0), len(children))
        return (*children[:index], *nodes, *children[index:])

    return _with_children(network, place.parent, put)


def remove(network: Network, ids: Collection[str]) -> Network:
    """Without the nodes of `ids` and all in them."""
    _require_known(network, ids)
    doomed = set(ids)

    def without(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        kept = []
        for node in nodes:
            if node.id not in doomed:
                children = without(node.children) if node.children else ()
                same = children is node.children or not node.children
                kept.append(node if same else dataclasses.replace(node, children=children))
        unchanged = len(kept) == len(nodes) and all(map(operator.is_, kept, nodes))
        return nodes if unchanged else tuple(kept)

    return dataclasses.replace(network, nodes=without(network.nodes))


def move(network: Network, ids: Collection[str], place: Place) -> Network:
    """The nodes of `ids`, in their order in the list, to `place` (counted before anything moves)."""
    moving = outermost(network, ids)
    _require_group(network, place.parent)
    around = set() if place.parent is None else {place.parent, *network.ancestors(place.parent)}
    for node in moving:
        if node.id in around:
            raise EditError(f"{node.title} cannot be moved into itself")
    left = [network.place(node.id) for node in moving]
    gone_before = sum(gap.parent == place.parent and gap.index < place.index for gap in left)
    rest = remove(network, [node.id for node in moving])
    moved = insert(rest, Place(place.parent, place.index - gone_before), moving)
    return network if moved == network else moved


def replace(
    network: Network,
    node_id: str,
    *,
    layer: Layer | None = None,
    name: str | None = "",
    enabled: bool | None = None,
) -> Network:
    """One node with another layer value, name (None: the type's own) or state. The layer's type stays."""
    _require_known(network, [node_id])
    node = network.node(node_id)
    if layer is not None and type(layer) is not type(node.layer):
        raise EditError(f"{node.title} is a {node.layer.type_name()} and cannot become a {layer.type_name()}")
    changed = dataclasses.replace(
        node,
        layer=node.layer if layer is None else layer,
        name=node.name if name == "" else clean_name(name),
        enabled=node.enabled if enabled is None else enabled,
    )
    if changed == node:
        return network
    place = network.place(node_id)

    def put(children: tuple[Node, ...]) -> tuple[Node, ...]:
        return (*children[: place.index], changed, *children[place.index + 1 :])

    return _with_children(network, place.parent, put)


def duplicate(network: Network, ids: Collection[str]) -> tuple[Network, list[str]]:
    """With a copy of the nodes of `ids` after the last of them; also gives the ids of the copies."""
    originals = outermost(network, ids)
    if not originals:
        return network, []
    fresh = network.fresh_ids()
    copies = [fresh.copy(node) for node in originals]
    last = network.place(originals[-1].id)
    return insert(network, Place(last.parent, last.index + 1), copies), [node.id for node in copies]


def wrap(network: Network, ids: Collection[str], group: Group) -> tuple[Network, str]:
    """With the nodes of `ids`, neighbors in one list, put into a new group; also gives the group's id."""
    nodes = outermost(network, ids)
    places = [network.place(node.id) for node in nodes]
    first = places[0].index if places else 0
    if not places or any(place != Place(places[0].parent, first + i) for i, place in enumerate(places)):
        raise EditError("only layers that stand next to each other can be put into a group")
    wrapper = network.fresh_ids().node(group, children=tuple(nodes))
    rest = remove(network, [node.id for node in nodes])
    return insert(rest, places[0], [wrapper]), wrapper.id


def unwrap(network: Network, node_id: str) -> Network:
    """With a group's layers in place of the group."""
    _require_known(network, [node_id])
    _require_group(network, node_id)
    place = network.place(node_id)
    children = network.node(node_id).children
    return insert(remove(network, [node_id]), place, children)


def with_input(network: Network, shape: Shape) -> Network:
    """For images of another shape."""
    if not shape.is_image or max(shape.dims) > MAXIMUM_INPUT:
        raise EditError(
            f"the input is channels × height × width, each from 1 to {MAXIMUM_INPUT}, not {shape}"
        )
    return dataclasses.replace(network, input=shape)


def renamed(network: Network, name: str) -> Network:
    """Under another name."""
    return dataclasses.replace(network, name=clean_name(name) or UNTITLED)


def outermost(network: Network, ids: Iterable[str]) -> list[Node]:
    """The nodes of `ids` from top to bottom, without those that stand in a group which is among them too."""
    chosen = set(ids)
    _require_known(network, chosen)
    inner = {node_id for node_id in chosen if not chosen.isdisjoint(network.ancestors(node_id))}
    return [node for node in network.walk() if node.id in chosen and node.id not in inner]


def _with_children(
    network: Network, parent: str | None, change: Callable[[tuple[Node, ...]], tuple[Node, ...]]
) -> Network:
    """Rebuilds the way from `parent` up to the network; everything beside that way is shared."""
    children = change(network.children(parent))
    while parent is not None:
        node = dataclasses.replace(network.node(parent), children=children)
        place = network.place(parent)
        siblings = network.children(place.parent)
        children = (*siblings[: place.index], node, *siblings[place.index + 1 :])
        parent = place.parent
    return dataclasses.replace(network, nodes=children)


def _require_known(network: Network, ids: Iterable[str]) -> None:
    for node_id in ids:
        if node_id not in network:
            raise EditError(f"there is no layer “{node_id}” in the network")


def _require_group(network: Network, parent: str | None) -> None:
    if parent is None:
        return
    _require_known(network, [parent])
    node = network.node(parent)
    if not node.is_group:
        raise EditError(f"{node.title} is not a group and cannot hold layers")


def _height(node: Node) -> int:
    """Levels below the node."""
    return 1 + max(map(_height, node.children)) if node.children else int(node.is_group)
