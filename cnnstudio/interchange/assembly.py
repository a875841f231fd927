"""Makes nodes of what the readers found. How a single call becomes a layer, each of them says."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters, values_to_json
from cnnstudio.design.network import MAXIMUM_DEPTH, MAXIMUM_NODES, IdMaker, Node, clean_name
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter.graph import Grouped, Items, Join, Nest, Piece, Rounds
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_types
from cnnstudio.layers.code import Call, NotDrawable

Row = list[Node]
"""Nodes under each other; they get their ids at the very end."""


@cache
def group_types() -> tuple[type[Group], ...]:
    return tuple(kind for kind in layer_types().values() if issubclass(kind, Group))


def with_ids(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes and all below them under ids of their own."""
    fresh = IdMaker()
    return tuple(fresh.copy(node) for node in nodes)


def require_few(layers: int) -> None:
    """Raises CodeError for more layers than a design can have."""
    if layers > MAXIMUM_NODES:
        raise CodeError(f"the code makes more than {MAXIMUM_NODES:,} layers, the most of a design")


class Assembler(ABC):
    """Follows the shape through items and makes nodes of them."""

    def __init__(self, notes: Notes, *, own: bool = False) -> None:
        """`own`: this program wrote the code, in which every line is where it belongs."""
        self.notes = notes
        self._own = own
        self._count = 0
        self._depth = 0

    @abstractmethod
    def pieces(self, pieces: Sequence[Piece], shape: Shape | None) -> Iterator[Node]:
        """The nodes of calls that follow each other."""

    @abstractmethod
    def activation(self, call: Call) -> str:
        """The activation that a call applies. Raises NotDrawable."""

    def single(self, nest: Nest, shape: Shape | None) -> Layer | None:
        """The one layer that a row of its own stands for; None where it is a row."""
        return None

    def row(self, items: Items, shape: Shape | None) -> tuple[Row, Shape | None]:
        """The nodes of a row, and what comes out where `shape` goes in; None where that is not known."""
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise CodeError(f"groups can stand at most {MAXIMUM_DEPTH} deep in each other, and here are more")
        nodes: Row = []
        for run in _runs(items):
            made, shape = self._pieces(run, shape) if isinstance(run, list) else self._item(run, shape)
            nodes += made
        self._depth -= 1
        return nodes if self._own else list(_drawn_in(nodes)), shape

    def _counted(self, nodes: int) -> None:
        self._count += nodes
        require_few(self._count)

    def _pieces(self, run: list[Piece], shape: Shape | None) -> tuple[Row, Shape | None]:
        self._counted(len(run))
        nodes = list(self.pieces(run, shape))
        for node in nodes:
            shape = output_of(node.layer, shape)
        return nodes, shape

    def _item(self, item: Rounds | Join | Nest | Grouped, shape: Shape | None) -> tuple[Row, Shape | None]:
        self._counted(1)
        match item:
            case Rounds():
                return self._rounds(item, shape)
            case Join():
                return self._join(item, shape)
            case Nest():
                return self._nest(item, shape)
            case Grouped():
                return self._grouped(item.layer, [self.row(body, shape) for body in item.bodies], shape)

    def _rounds(self, item: Rounds, shape: Shape | None) -> tuple[Row, Shape | None]:
        rounds: list[tuple[Row, int]] = []
        for body, count in item.bodies:
            made, shape = self._copies(body, count, shape)
            rounds += made
        first, total = rounds[0][0] if rounds else [], sum(count for _, count in rounds)
        alike = bool(first) and all(nodes == first for nodes, _ in rounds)
        if alike and (total > 1 or item.counted):
            for kind in group_types():
                try:
                    group = kind.of_copies(total)
                except ParameterError as error:
                    self.notes.add(item.line, f"{total:,} copies are drawn once: {error}")
                    return first, shape
                if group is not None:
                    return [Node("", group, children=tuple(first))], shape
        result: Row = []
        for nodes, count in rounds:
            self._counted(len(nodes) * (count - 1))
            result += ([self.block(nodes, "")] if item.rows else nodes) * count
        return result, shape

    def _copies(
        self, body: Items, count: int, shape: Shape | None
    ) -> tuple[list[tuple[Row, int]], Shape | None]:
        """The copies of a body, those behind the first that keeps its shape like it."""
        rounds: list[tuple[Row, int]] = []
        left = count
        while left > 0:
            nodes, output = self.row(body, shape)
            same = left if output in (shape, None) else 1
            rounds.append((nodes, same))
            left, shape = left - same, output
        return rounds, shape

    def _join(self, item: Join, shape: Shape | None) -> tuple[Row, Shape | None]:
        rows = [self._branch(branch, shape) for branch in item.branches]
        for kind in group_types():
            found = kind.from_branches(item.mode, [[node.layer for node in nodes] for nodes, _ in rows])
            if found is None:
                continue
            group, inside = found
            if item.activation is not None:
                group, following = self._activated(group, item.activation)
                nodes, output = self._grouped(group, [rows[index] for index in inside], shape)
                made, output = self._pieces(following, output)
                return nodes + made, output
            return self._grouped(group, [rows[index] for index in inside], shape)
        self.notes.add(item.line, "there is no group that joins branches in this way: the first one is drawn")
        return rows[0]

    def _branch(self, items: Items, shape: Shape | None) -> tuple[Row, Shape | None]:
        """A branch; that other people's code keeps it in a module of its own does not count."""
        nodes, output = self.row(items, shape)
        if not self._own and len(nodes) == 1 and nodes[0].is_transparent:
            nodes = list(nodes[0].children)
        return nodes, output

    def _activated(self, group: Group, call: Call) -> tuple[Group, list[Piece]]:
        """The group with the activation, or the call to follow it where the group has none."""
        try:
            name = self.activation(call)
        except NotDrawable:
            return group, [Piece(call)]
        activated = group.taking({"activation": name})
        taken = getattr(activated, "activation", None) == name
        return activated, [] if taken else [Piece(call)]

    def _grouped(
        self, group: Group, rows: Sequence[tuple[Row, Shape | None]], shape: Shape | None
    ) -> tuple[Row, Shape | None]:
        children: Row = []
        for nodes, _ in rows:
            children += nodes if not group.branches or len(nodes) == 1 else [self.block(nodes, "")]
        shapes = [output for _, output in rows if output is not None]
        output: Shape | None = None
        if shape is not None and len(shapes) == len(rows):
            try:
                output = group.join(shape, shapes)
            except ShapeError as error:
                output = error.assumed
        return [Node("", group, children=tuple(children))], output

    def _nest(self, item: Nest, shape: Shape | None) -> tuple[Row, Shape | None]:
        layer = self.single(item, shape)
        if layer is not None:
            return [Node("", layer)], output_of(layer, shape)
        nodes, output = self.row(item.items, shape)
        if not self._own and len(nodes) == 1:
            return [drawn(nodes[0], nodes[0].name or item.name)], output
        return [self.block(nodes, item.name)], output

    def block(self, nodes: Row, name: str) -> Node:
        """The nodes as a row of their own."""
        kind = next(kind for kind in group_types() if kind.transparent)
        return Node("", kind(), clean_name(name), children=tuple(nodes))


def _drawn_in(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes, with each activation in a line of its own drawn into the group before it, if it can."""
    before: Node | None = None
    for node in nodes:
        only = [parameter.name for parameter in parameters(node.layer)] == ["activation"]
        if before is not None and only and getattr(before.layer, "activation", "") == "linear":
            before = dataclasses.replace(before, layer=before.layer.taking(values_to_json(node.layer)))
            continue
        if before is not None:
            yield before
        before = node if node.is_group else None
        if before is None:
            yield node
    if before is not None:
        yield before


def output_of(layer: Layer, shape: Shape | None) -> Shape | None:
    """What a layer gives for `shape`, or would give once fixed; None where that is not known."""
    if shape is None:
        return None
    try:
        return layer.output_shape(shape)
    except ShapeError as error:
        return error.assumed


def _runs(items: Items) -> Iterator[list[Piece] | Rounds | Join | Nest | Grouped]:
    """The items, with calls that follow each other in one list."""
    run: list[Piece] = []
    for item in items:
        if isinstance(item, Piece):
            run.append(item)
            continue
        if run:
            yield run
        run = []
        yield item
    if run:
        yield run


def drawn(node: Node, name: str) -> Node:
    """The node under a name from the code."""
    return dataclasses.replace(node, name=clean_name(name)) if name else node
