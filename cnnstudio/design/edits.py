"""Edits: functions from a Network to a new one. Nodes that an edit does not touch stay the same objects.

That is what undo, the layer list and shape inference rely on to find quickly what has changed. Each function
raises EditError, with a message for the user, if the edit makes no sense, and no other exception.
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
    """Inserts `nodes` at `place`. Their ids must be new: see `Network.fresh_ids`.

    Raises EditError if an id is not new, if the network would get too large or too deep, or if the parent in
    `place` is not a group of this network.
    """
    added = [node.id for new in nodes for node in new.walk()]
    if len(set(added)) < len(added) or any(node_id in network for node_id in added):
        raise EditError("the network already contains a layer with this id; paste it as a copy")
    if len(network) + len(added) > MAXIMUM_NODES:
        raise EditError(f"a design can have at most {MAXIMUM_NODES:,} layers")
    _require_group(network, place.parent)
    if not nodes:
        return network
    depth = 0 if place.parent is None else network.depth(place.parent) + 1
    if depth + max(map(_height, nodes)) > MAXIMUM_DEPTH:
        raise EditError(f"groups can be nested at most {MAXIMUM_DEPTH} deep")

    def put(children: tuple[Node, ...]) -> tuple[Node, ...]:
        index = min(max(place.index, 0), len(children))
        return (*children[:index], *nodes, *children[index:])

    return _with_children(network, place.parent, put)


def remove(network: Network, ids: Collection[str]) -> Network:
    """Removes the nodes with these ids and everything inside them. Raises EditError if an id is unknown."""
    _require_known(network, ids)
    removed = set(ids)

    def without_removed(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        kept = []
        for node in nodes:
            if node.id not in removed:
                children = without_removed(node.children) if node.children else ()
                is_unchanged = children is node.children or not node.children
                kept.append(node if is_unchanged else dataclasses.replace(node, children=children))
        # The same tuple again if nothing in it was removed, so that the groups above can be shared as well.
        is_unchanged = len(kept) == len(nodes) and all(map(operator.is_, kept, nodes))
        return nodes if is_unchanged else tuple(kept)

    return dataclasses.replace(network, nodes=without_removed(network.nodes))


def move(network: Network, ids: Collection[str], place: Place) -> Network:
    """Moves the nodes with these ids, keeping their order, to `place`, as counted before the move.

    Raises EditError if an id is unknown, if a group would be moved into itself, or as `insert` does.
    """
    moving = outermost(network, ids)
    _require_group(network, place.parent)
    around = set() if place.parent is None else {place.parent, *network.ancestors(place.parent)}
    for node in moving:
        if node.id in around:
            raise EditError(f"{node.title} cannot be moved into itself")
    sources = [network.place(node.id) for node in moving]
    # Removing nodes in front of the target in its own list shifts the target.
    shift = sum(source.parent == place.parent and source.index < place.index for source in sources)
    rest = remove(network, [node.id for node in moving])
    moved = insert(rest, Place(place.parent, place.index - shift), moving)
    return network if moved == network else moved


def replace(
    network: Network,
    node_id: str,
    *,
    layer: Layer | None = None,
    name: str | None = "",
    enabled: bool | None = None,
    trainable: bool | None = None,
) -> Network:
    """Changes a node's layer value, its name (None: that of its type), whether it is enabled or trainable.

    Raises EditError if the id is unknown, or if the type of the layer would not stay the same.
    """
    _require_known(network, [node_id])
    node = network.node(node_id)
    if layer is not None and type(layer) is not type(node.layer):
        raise EditError(f"{node.title} is a {node.layer.type_name()} and cannot become a {layer.type_name()}")
    layer = node.layer if layer is None else layer
    if trainable is not None and layer.has_trainable_parameter():
        layer, trainable = layer.with_values({"trainable": trainable}), None
    changed = dataclasses.replace(
        node,
        layer=layer,
        name=node.name if name == "" else clean_name(name),
        enabled=node.enabled if enabled is None else enabled,
        trainable=node.trainable if trainable is None else trainable,
    )
    if changed == node:
        return network
    place = network.place(node_id)

    def put(children: tuple[Node, ...]) -> tuple[Node, ...]:
        return (*children[: place.index], changed, *children[place.index + 1 :])

    return _with_children(network, place.parent, put)


def set_trainable(network: Network, ids: Collection[str], trainable: bool) -> Network:
    """Locks the nodes with these ids, or unlocks them, each with everything inside it.

    A node in a locked group is unlocked alone: the lock passes from the group to the others in it. Raises
    EditError if an id is unknown.
    """
    for node in outermost(network, ids):
        wanted = _unlocking(network, node) if trainable else {node.id: False}
        # Each once, so that a node that stays as it is stays the same object.
        for node_id, learns in wanted.items():
            network = replace(network, node_id, trainable=learns)
    return network


def _unlocking(network: Network, node: Node) -> dict[str, bool]:
    """Which nodes have to be trainable and which not, so that this one learns and its neighbors do not."""
    wanted: dict[str, bool] = {}
    for parent in reversed([*network.ancestors(node.id)]):
        group = network.node(parent)
        if not wanted.get(parent, group.trainable):
            wanted[parent] = True
            wanted |= {child.id: False for child in group.children}
    # Of a factor that was fixed by its own parameter, a group's lock says nothing.
    for each in node.walk():
        if each is node or not each.layer.has_trainable_parameter():
            wanted[each.id] = True
    return wanted


def duplicate(network: Network, ids: Collection[str]) -> tuple[Network, list[str]]:
    """Copies the nodes with these ids and inserts the copies after the last one; also returns their ids.

    Raises EditError if an id is unknown or the network would get too large.
    """
    originals = outermost(network, ids)
    if not originals:
        return network, []
    new_ids = network.fresh_ids()
    copies = [new_ids.copy(node) for node in originals]
    last = network.place(originals[-1].id)
    return insert(network, Place(last.parent, last.index + 1), copies), [node.id for node in copies]


def wrap(network: Network, ids: Collection[str], group: Group) -> tuple[Network, str]:
    """Moves the nodes with these ids, neighbors in one list, into a new group; also returns its id.

    Raises EditError if they are not neighbors, or if groups would be nested too deeply.
    """
    nodes = outermost(network, ids)
    places = [network.place(node.id) for node in nodes]
    first = places[0].index if places else 0
    if not places or any(place != Place(places[0].parent, first + i) for i, place in enumerate(places)):
        raise EditError("only adjacent layers can be grouped")
    wrapper = network.fresh_ids().node(group, children=tuple(nodes))
    rest = remove(network, [node.id for node in nodes])
    return insert(rest, places[0], [wrapper]), wrapper.id


def unwrap(network: Network, node_id: str) -> Network:
    """Replaces a group with its layers. Raises EditError if the id is not that of a group."""
    _require_known(network, [node_id])
    _require_group(network, node_id)
    place = network.place(node_id)
    group = network.node(node_id)
    result = insert(remove(network, [node_id]), place, group.children)
    return result if group.trainable else set_trainable(result, [each.id for each in group.children], False)


def set_input(network: Network, shape: Shape) -> Network:
    """Changes the shape of the input images, C × H × W. Raises EditError if it is none, or too large."""
    if not shape.is_image or max(shape.dims) > MAXIMUM_INPUT:
        raise EditError(
            f"the input must be channels × height × width, each from 1 to {MAXIMUM_INPUT}, got {shape}"
        )
    return dataclasses.replace(network, input=shape)


def set_weights(network: Network, name: str | None) -> Network:
    """Changes the pretrained weights that training starts from; None for random initial weights."""
    return dataclasses.replace(network, weights=name)


def rename(network: Network, name: str) -> Network:
    """Changes the name of the design; an empty name becomes “Untitled”."""
    return dataclasses.replace(network, name=clean_name(name) or UNTITLED)


def outermost(network: Network, ids: Iterable[str]) -> list[Node]:
    """The nodes with these ids in the order of the list, without those inside another one of them.

    Raises EditError if an id is unknown.
    """
    selected = set(ids)
    _require_known(network, selected)
    inner = {node_id for node_id in selected if not selected.isdisjoint(network.ancestors(node_id))}
    return [node for node in network.walk() if node.id in selected and node.id not in inner]


def _with_children(
    network: Network, parent: str | None, change: Callable[[tuple[Node, ...]], tuple[Node, ...]]
) -> Network:
    """Changes the children of `parent`. Only `parent` and its ancestors are rebuilt; the rest is shared."""
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
            raise EditError(f"the network has no layer with the id “{node_id}”")


def _require_group(network: Network, parent: str | None) -> None:
    if parent is None:
        return
    _require_known(network, [parent])
    node = network.node(parent)
    if not node.is_group:
        raise EditError(f"{node.title} is not a group and cannot contain layers")


def _height(node: Node) -> int:
    """The number of nested groups, the node itself included; 0 for a layer that is not a group."""
    return 1 + max(map(_height, node.children)) if node.children else int(node.is_group)
