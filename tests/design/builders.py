"""Networks in a few words, for tests: `network(Conv2D(8), (Repeat(2), Conv2D(8)), off(Dropout()))`."""

from __future__ import annotations

import dataclasses
from typing import Any

from cnnstudio.design.network import IdMaker, Network, Node
from cnnstudio.layers.base import Group, Layer, Shape

Item = Any
"""A layer, a tuple of a group and its contents, or one of these in `off`."""


@dataclasses.dataclass(frozen=True)
class Off:
    item: Item


def off(item: Item) -> Off:
    """The item switched off."""
    return Off(item)


def network(*items: Item, input: tuple[int, int, int] = (3, 32, 32)) -> Network:
    """The items in a row; ids are counted from 1 for each type, a group's after those of its contents."""
    ids = IdMaker()
    return Network(Shape(input), tuple(_node(item, ids) for item in items))


def _node(item: Item, ids: IdMaker) -> Node:
    if isinstance(item, Off):
        return dataclasses.replace(_node(item.item, ids), enabled=False)
    if isinstance(item, Layer) and not isinstance(item, Group):
        return ids.node(item)
    group, *inside = item if isinstance(item, tuple) else (item,)
    return ids.node(group, children=tuple(_node(each, ids) for each in inside))


def nested(group: Group, depth: int, *innermost: Item) -> Item:
    """`depth` groups in each other, with `innermost` in the last."""
    item: Item = (group, *innermost)
    for _ in range(depth - 1):
        item = (group, item)
    return item
