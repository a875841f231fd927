"""Short notation for networks in tests: `network(Conv2D(8), (Repeat(2), Conv2D(8)), disabled(Dropout()))`."""

from __future__ import annotations

import dataclasses
from typing import Any

from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.layers.base import Group, Layer, Shape

Item = Any
"""A layer, a tuple of a group and its contents, or one of these in `disabled`."""


@dataclasses.dataclass(frozen=True)
class _Disabled:
    item: Item


def disabled(item: Item) -> _Disabled:
    """The item, disabled."""
    return _Disabled(item)


def network(*items: Item, input: tuple[int, int, int] = (3, 32, 32)) -> Network:
    """The items in sequence. Ids count from 1 for each type; a group gets its id after its contents."""
    ids = IdGenerator()
    return Network(Shape(input), tuple(_node(item, ids) for item in items))


def _node(item: Item, ids: IdGenerator) -> Node:
    if isinstance(item, _Disabled):
        return dataclasses.replace(_node(item.item, ids), enabled=False)
    if isinstance(item, Layer) and not isinstance(item, Group):
        return ids.node(item)
    group, *inside = item if isinstance(item, tuple) else (item,)
    return ids.node(group, children=tuple(_node(each, ids) for each in inside))


def nested(group: Group, depth: int, *innermost: Item) -> Item:
    """`depth` nested groups, with `innermost` in the innermost."""
    item: Item = (group, *innermost)
    for _ in range(depth - 1):
        item = (group, item)
    return item
