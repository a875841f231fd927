"""Turns the items that a reader found into the nodes of a design.

Both libraries share the structure: sequences, loops, joins and sub-models become nodes and groups here. How a
single call becomes a layer differs, and is up to the subclass: a Keras call is one layer, while several
PyTorch modules may make up one (a convolution and its activation, say) and depend on the shape of the image
at that point. The shape is therefore followed through all items; it is None from the first layer whose output
is not known.

If this program generated the code, the structure is reproduced exactly. Code by other people is simplified to
the form in which people draw networks: an activation after a join becomes part of the group, and a module
around a single layer is dropped.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters, values_to_json
from cnnstudio.design.network import MAXIMUM_DEPTH, MAXIMUM_NODES, IdGenerator, Node, clean_name
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter.graph import ExplicitGroup, Items, Join, LayerCall, LoopBody, SubModel
from cnnstudio.interchange.locks import may_have_weights, with_group_locks
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_type, layer_types
from cnnstudio.layers.code import Call, UnsupportedCall

Nodes = list[Node]
"""Nodes in order, still without ids; `with_ids` adds them at the very end.

Until then, nodes that were created from equal code are equal, which is how copies are recognized.
"""


@cache
def group_types() -> tuple[type[Group], ...]:
    return tuple(kind for kind in layer_types().values() if issubclass(kind, Group))


def with_ids(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes, including all nodes inside them, with unique ids."""
    ids = IdGenerator()
    return tuple(ids.copy(node) for node in with_group_locks(tuple(nodes)))


def require_layer_limit(layers: int) -> None:
    """Raises CodeError if there are more layers than a design can have."""
    if layers > MAXIMUM_NODES:
        raise CodeError(f"the code creates more than {MAXIMUM_NODES:,} layers, the limit of a design")


class Assembler(ABC):
    """Turns items into nodes while following the shape through them."""

    def __init__(self, notes: Notes, *, generated: bool = False) -> None:
        """`generated`: this program generated the code, so its structure is kept as it is."""
        self.notes = notes
        self._generated = generated
        self.shape_errors = 0
        """How many layers do not take the shape that arrives at them."""
        self.locked_calls: set[int] = set()
        """ids of the calls whose layers the code locks."""
        self._count = 0
        self._depth = 0

    @abstractmethod
    def layers_from_calls(self, calls: Sequence[LayerCall], shape: Shape | None) -> Iterator[Node]:
        """The nodes for consecutive calls, the first of which gets `shape`."""

    @abstractmethod
    def activation(self, call: Call) -> str:
        """The name of the activation that a call applies. Raises UnsupportedCall."""

    def single_layer(self, model: SubModel, shape: Shape | None) -> Layer | None:
        """The layer that generated this sub-model, if a single one did; else None."""
        return None

    def sequence(self, items: Items, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        """The nodes for a sequence of items, and its output shape for the input `shape`, None if unknown.

        Raises CodeError if the groups are nested too deeply or there are too many layers.
        """
        # Not decremented when an error passes through, because an error ends the whole import.
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise CodeError(f"groups can be nested at most {MAXIMUM_DEPTH} deep, and these are nested deeper")
        nodes: Nodes = []
        for run in _consecutive_calls(items):
            made, shape = self._calls(run, shape) if isinstance(run, list) else self._item(run, shape)
            nodes += made
        self._depth -= 1
        # In generated code a separate activation is a layer that the user placed there.
        return nodes if self._generated else list(_merge_activations(nodes)), shape

    def with_lock(self, node: Node, calls: Iterable[Call]) -> Node:
        """The node that was made of these calls, locked if the code locks one of them."""
        if not may_have_weights(node.layer) or not any(id(call) in self.locked_calls for call in calls):
            return node
        return dataclasses.replace(node, trainable=False)

    def _add_to_count(self, nodes: int) -> None:
        self._count += nodes
        require_layer_limit(self._count)
        self.notes.effort.check_time()

    def _calls(self, calls: list[LayerCall], shape: Shape | None) -> tuple[Nodes, Shape | None]:
        self._add_to_count(len(calls))
        nodes = list(self.layers_from_calls(calls, shape))
        for node in nodes:
            self.shape_errors += not takes_shape(node.layer, shape)
            shape = output_shape_of(node.layer, shape)
        return nodes, shape

    def _item(
        self, item: LoopBody | Join | SubModel | ExplicitGroup, shape: Shape | None
    ) -> tuple[Nodes, Shape | None]:
        self._add_to_count(1)
        match item:
            case LoopBody():
                return self._loop(item, shape)
            case Join():
                return self.join(item, shape)
            case SubModel():
                return self._sub_model(item, shape)
            case ExplicitGroup():
                return self._group(item.layer, [self.sequence(body, shape) for body in item.bodies], shape)

    def _loop(self, item: LoopBody, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        iterations: list[tuple[Nodes, int]] = []
        for body, count in item.copies:
            made, shape = self._copies(body, count, shape)
            iterations += made
        # Nodes are compared, not items: equal code may give other layers at another shape, and different code
        # the same ones, because the input channels in a PyTorch call are not part of a design.
        first, total = iterations[0][0] if iterations else [], sum(count for _, count in iterations)
        all_equal = bool(first) and all(nodes == first for nodes, _ in iterations)
        if all_equal and (total > 1 or item.counted):
            for kind in group_types():
                try:
                    group = kind.from_copies(total)
                except ParameterError as error:
                    self.notes.add(item.line, f"only one of {total:,} copies is imported: {error}")
                    return first, shape
                if group is not None:
                    return [Node("", group, children=tuple(first))], shape
        result: Nodes = []
        for nodes, count in iterations:
            # Before the list is multiplied: a huge count raises instead of filling the memory.
            self._add_to_count(len(nodes) * (count - 1))
            result += ([self.make_block(nodes, "")] if item.separate else nodes) * count
        return result, shape

    def _copies(
        self, body: Items, count: int, shape: Shape | None
    ) -> tuple[list[tuple[Nodes, int]], Shape | None]:
        """(nodes, number of copies) for `count` copies of a body in sequence, and the final shape.

        Copies may differ, because each gets the output of the one before. After a copy that keeps its shape,
        all further ones are equal, so that a thousand copies usually take one or two steps.
        """
        copies: list[tuple[Nodes, int]] = []
        left = count
        while left > 0:
            nodes, output = self.sequence(body, shape)
            # None as well: without a shape there is nothing by which the copies could differ.
            equal = left if output in (shape, None) else 1
            copies.append((nodes, equal))
            left, shape = left - equal, output
        return copies, shape

    def join(self, item: Join, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        """The nodes for branches with a common input."""
        # In code by other people, `a + b + c` is one sum.
        parts = item.branches if self._generated else _joined_alike(item.mode, item.branches)
        branches = [self._branch(branch, shape) for branch in parts]
        if item.mode == "add" and len(branches) == 2 and not any(nodes for nodes, _ in branches):
            # A group with nothing in it would do nothing.
            twice = Node("", layer_type("Scale")().with_values({"factor": 2.0}))
            activation = [] if item.activation is None else [LayerCall(item.activation)]
            nodes, output = self._calls(activation, shape)
            return [twice, *nodes], output
        # The first type that takes the branches. `inside` leaves out a shortcut, which is a parameter of its
        # group and not a branch.
        for kind in group_types():
            found = kind.from_branches(item.mode, [[node.layer for node in nodes] for nodes, _ in branches])
            if found is None:
                continue
            group, inside = found
            if item.activation is not None:
                group, following = self._with_activation(group, item.activation)
                nodes, output = self._group(group, [branches[index] for index in inside], shape)
                made, output = self._calls(following, output)
                return nodes + made, output
            return self._group(group, [branches[index] for index in inside], shape)
        self.notes.add(item.line, "these branches cannot be joined in a group; only the first is imported")
        return branches[0]

    def _branch(self, items: Items, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        """The nodes of a branch. In code by other people, a module around the whole branch is dropped."""
        nodes, output = self.sequence(items, shape)
        if not self._generated and len(nodes) == 1 and nodes[0].is_transparent:
            nodes = list(nodes[0].children)
        return nodes, output

    def _with_activation(self, group: Group, call: Call) -> tuple[Group, list[LayerCall]]:
        """(group with the activation, no calls), or (group, the call to apply after it) if it has none."""
        try:
            name = self.activation(call)
        except UnsupportedCall:
            return group, [LayerCall(call)]
        activated = group.with_values({"activation": name})
        is_set = getattr(activated, "activation", None) == name
        return activated, [] if is_set else [LayerCall(call)]

    def _group(
        self, group: Group, bodies: Sequence[tuple[Nodes, Shape | None]], shape: Shape | None
    ) -> tuple[Nodes, Shape | None]:
        """The group with its body or branches, each given as (nodes, output shape)."""
        children: Nodes = []
        for nodes, _ in bodies:
            # Each branch of a parallel group is exactly one child, so several layers, or none, are wrapped in
            # a block.
            children += nodes if not group.has_branches or len(nodes) == 1 else [self.make_block(nodes, "")]
        shapes = [output for _, output in bodies if output is not None]
        output: Shape | None = None
        if shape is not None and len(shapes) == len(bodies):
            try:
                output = group.group_output_shape(shape, shapes)
            except ShapeError as error:
                # The import succeeds, and the window shows the problem with its fix.
                output = error.assumed
                self.shape_errors += 1
        return [Node("", group, children=tuple(children))], output

    def _sub_model(self, item: SubModel, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        layer = self.single_layer(item, shape)
        if layer is not None:
            return [Node("", layer)], output_shape_of(layer, shape)
        nodes, output = self.sequence(item.items, shape)
        if not self._generated and not nodes:
            return [], output  # only layers that prepare images, say
        if not self._generated and len(nodes) == 1:
            return [renamed_node(nodes[0], nodes[0].name or item.name)], output
        return [self.make_block(nodes, item.name)], output

    def make_block(self, nodes: Nodes, name: str) -> Node:
        """The nodes in a block."""
        kind = next(kind for kind in group_types() if kind.is_transparent)
        return Node("", kind(), clean_name(name), children=tuple(nodes))


def _merge_activations(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes, with an activation layer merged into the group before it, if that has none yet."""
    # One node is held back, because only the next one shows whether it is complete.
    group: Node | None = None
    for node in nodes:
        is_activation = [parameter.name for parameter in parameters(node.layer)] == ["activation"]
        if group is not None and is_activation and getattr(group.layer, "activation", "") == "linear":
            group = dataclasses.replace(group, layer=group.layer.with_values(values_to_json(node.layer)))
            continue
        if group is not None:
            yield group
        group = node if node.is_group else None
        if group is None:
            yield node
    if group is not None:
        yield group


def takes_shape(layer: Layer, shape: Shape | None) -> bool:
    """Whether a layer takes an input of that shape; True if the shape is not known."""
    try:
        if shape is not None:
            layer.output_shape(shape)
    except ShapeError:
        return False
    return True


def output_shape_of(layer: Layer, shape: Shape | None) -> Shape | None:
    """The layer's output shape, or the one it would have if its error were fixed; None if unknown."""
    if shape is None:
        return None
    try:
        return layer.output_shape(shape)
    except ShapeError as error:
        return error.assumed


def _joined_alike(mode: str, branches: Iterable[Items]) -> Iterator[Items]:
    """The branches, with those of joins of the same kind that are a whole branch."""
    for branch in branches:
        match branch:
            case (Join(mode=inner, branches=more, activation=None),) if inner == mode:
                yield from _joined_alike(mode, more)
            case _:
                yield branch


def _consecutive_calls(
    items: Items,
) -> Iterator[list[LayerCall] | LoopBody | Join | SubModel | ExplicitGroup]:
    """The items, with consecutive calls collected in lists."""
    run: list[LayerCall] = []
    for item in items:
        if isinstance(item, LayerCall):
            run.append(item)
            continue
        if run:
            yield run
        run = []
        yield item
    if run:
        yield run


def renamed_node(node: Node, name: str) -> Node:
    """The node with a name from the code; unchanged if that is empty."""
    return dataclasses.replace(node, name=clean_name(name)) if name else node
