"""Shape inference: output shapes, costs, receptive fields and errors of all nodes, cached between edits.

An edit shares every node that it does not touch with the network before it (see network.py), so "the same
node" is an identity test. Results depend only on a node and its input shape. That gives three caches, which
are passed from one analysis to the next (`InferenceCache`):

- per list of nodes and input shape: the result of the whole list, so that an edit re-infers only the nodes
  from the first changed one to the first unchanged one whose input shape is the same as before;
- per node and input shape: the result of the node, a group's contents included;
- per layer value and input shape: the result of a single layer, shared by all equal layers.

Nothing has to be invalidated: a cached result is used only for the very nodes and shape that it was computed
from. The caches only have to be kept from growing without limit, so `analyze` drops them all when they have
become much larger than the network.

After an edit of a list with n nodes of which k are affected, inference costs k layer computations, O(n)
identity comparisons and one copy of a tuple of n references. The latter two are done by C functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter, is_not

from cnnstudio.design.network import MAXIMUM_NODES, Node
from cnnstudio.layers.base import Fix, Group, Layer, ReceptiveField, SetParametersInside, Shape, ShapeError

MAXIMUM_PARAMETERS = 2**31
"""Per layer and per network. Weights, gradients and the optimizer state would take 32 GB."""

MAXIMUM_OUTPUT = 2**28
"""Values in the output of one layer for one image: 1 GB."""

MAXIMUM_LAYERS = MAXIMUM_NODES
"""Layers of the network after expanding all Repeats."""

OUT_OF_MEMORY_REASON = "A network has to fit into memory to be trained."

SINGLE_PIXEL = ReceptiveField()
"""The receptive field before the first layer."""

_SHAPES_PER_NODE = 64

_LAYERS, _PARAMETERS, _MACS, _ACTIVATIONS, _UNKNOWN = map(
    attrgetter, ("layer_count", "parameters", "macs", "activations", "unknown")
)


@dataclass(slots=True, eq=False)
class SequenceShape:
    """The result for a list of nodes and one input shape. Counts include all copies inside Repeats."""

    input: Shape | None
    outputs: tuple[Shape | None, ...]
    """The output of the last node; for branches, the output of each active one."""
    layer_count: int
    """Layers and groups that would be built."""
    parameters: int
    macs: int
    activations: int
    unknown: int
    """Layers whose costs are unknown, because of an error in them or before them, and count as 0."""
    nodes: tuple[NodeShape, ...]
    """The results for the nodes, inactive ones included."""

    @property
    def output(self) -> Shape | None:
        """The output of the last node."""
        return self.outputs[-1]


@dataclass(slots=True, eq=False)
class NodeShape:
    """The result for one node and one input shape. Counts include everything inside the node."""

    input: Shape | None
    output: Shape | None
    layer_count: int = 0
    parameters: int = 0
    macs: int = 0
    activations: int = 0
    unknown: int = 0
    """As in SequenceShape; none in a disabled node."""
    receptive_field: ReceptiveField | None = SINGLE_PIXEL
    """Relative to the node's input. For groups None until first needed: see `receptive_field_of`."""
    error: ShapeError | None = None
    fixes: tuple[Fix, ...] = ()
    """The fixes of the error that would change something in this node."""
    bodies: tuple[tuple[SequenceShape, int], ...] = ()
    """The results for a group's body: one per run of equal copies, and the number of copies in the run."""
    row: object = None
    """A slot for analysis.py: the report row last made from this result. It is freed together with it."""

    def copy(self) -> NodeShape:
        """The same result for an equal layer elsewhere in the design, which has a `row` of its own."""
        return NodeShape(
            self.input,
            self.output,
            self.layer_count,
            self.parameters,
            self.macs,
            self.activations,
            self.unknown,
            self.receptive_field,
            self.error,
            self.fixes,
        )


@dataclass(slots=True, eq=False)
class _CachedNode:
    """The results for one node. Holding the node keeps its id(), the key, from being reused for another."""

    node: Node
    last: NodeShape
    results: dict[Shape | None, NodeShape]


ListKey = str | None
"""Identifies a list of nodes: the id of the group that owns it; None for the network."""


@dataclass(slots=True, eq=False)
class InferenceCache:
    """Results passed from one analysis to the next. They stay correct whatever is edited.

    Without `sequences` every edit would take several times as long; without `nodes`, undoing an edit that
    changed all following shapes would; without `layers`, opening a large design would take half as long
    again.
    """

    nodes: dict[int, _CachedNode] = field(default_factory=dict)
    """By the id() of the node."""
    sequences: dict[tuple[ListKey, Shape | None], tuple[tuple[Node, ...], SequenceShape]] = field(
        default_factory=dict
    )
    """The nodes that a list last had, and their result."""
    layers: dict[tuple[Layer, Shape], NodeShape] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.nodes) + len(self.sequences) + len(self.layers)


class ShapeInference:
    """Propagates shapes through nodes, taking every result that it can from the cache."""

    def __init__(self, cache: InferenceCache) -> None:
        self._nodes = cache.nodes
        self._sequences = cache.sequences
        self._layers = cache.layers

    def infer_sequence(
        self, nodes: tuple[Node, ...], shape: Shape | None, key: ListKey = None
    ) -> SequenceShape:
        """The result for nodes in sequence; `key` identifies their list.

        Compares them with the nodes that the list had last time: results before the first difference are
        reused, and so are those after the last one, from the first node on whose input shape is unchanged.
        """
        old_nodes, old = self._sequences.get((key, shape), ((), _EMPTY))
        head, tail = common_ends(nodes, old_nodes)
        if head == len(nodes) == len(old_nodes) > 0:
            return old
        results = list(old.nodes[:head])
        current = results[-1].output if results else shape
        kept_from = len(old_nodes)
        for index in range(head, len(nodes)):
            old_index = index - len(nodes) + len(old_nodes)
            if index >= len(nodes) - tail and old.nodes[old_index].input == current:
                results += old.nodes[old_index:]
                kept_from = old_index
                break
            results.append(self._infer_next(nodes[index], current))
            current = results[-1].output
        end = results[-1].output if results else shape
        added = results[head : len(results) - len(old_nodes) + kept_from]
        found = _sequence_shape(shape, (end,), results, old, old.nodes[head:kept_from], added)
        self._sequences[key, shape] = nodes, found
        return found

    def _infer_next(self, node: Node, shape: Shape | None) -> NodeShape:
        cached = self._nodes.get(id(node))
        # Shapes are passed on as the same object, so most hits need no comparison and no hash of a shape.
        if cached is not None and cached.last.input is shape:
            return cached.last
        return self._infer_cached(node, shape)

    def infer_branches(self, nodes: tuple[Node, ...], shape: Shape | None) -> SequenceShape:
        """The result for nodes in parallel, each with the input `shape`."""
        results = [self._infer_cached(node, shape) for node in nodes]
        outputs = tuple(found.output for node, found in zip(nodes, results, strict=True) if node.is_active)
        return _sequence_shape(shape, outputs, results, _EMPTY, (), results)

    def _infer_cached(self, node: Node, shape: Shape | None) -> NodeShape:
        cached = self._nodes.get(id(node))
        if cached is None or shape not in cached.results:
            found = self._infer(node, shape)
            # In a Repeat that shrinks the image a node has one result per copy, which could be thousands.
            if cached is None or len(cached.results) >= _SHAPES_PER_NODE:
                cached = self._nodes[id(node)] = _CachedNode(node, found, {})
            cached.results[shape] = found
        cached.last = cached.results[shape]
        return cached.last

    def _infer(self, node: Node, shape: Shape | None) -> NodeShape:
        if not node.enabled:
            return NodeShape(shape, shape, bodies=((self.infer_sequence(node.children, None, node.id), 1),))
        if isinstance(node.layer, Group):
            return self._infer_group(node, node.layer, shape)
        if shape is None:
            return NodeShape(shape, None, layer_count=1, unknown=1)
        found = self._layers.get((node.layer, shape))
        if found is None:
            found = self._layers[node.layer, shape] = _infer_layer(node, shape)
        return found.copy()

    def _infer_group(self, node: Node, group: Group, shape: Shape | None) -> NodeShape:
        bodies = self._infer_bodies(node, group, shape)
        found = NodeShape(
            shape,
            shape,
            1 + sum(body.layer_count * count for body, count in bodies),
            sum(body.parameters * count for body, count in bodies),
            sum(body.macs * count for body, count in bodies),
            sum(body.activations * count for body, count in bodies),
            sum(body.unknown * count for body, count in bodies),
            _branches_receptive_field(node.children, bodies[0][0]) if group.has_branches else None,
            bodies=bodies,
        )
        if not node.is_active:
            found.layer_count = found.unknown = 0
            return found
        found.output = None
        last = bodies[-1][0]
        outputs = [output for output in last.outputs if output is not None]
        if shape is not None and len(outputs) == len(last.outputs):
            try:
                found.output = group.group_output_shape(shape, outputs)
                found.parameters += group.group_parameter_count(shape, outputs)
                found.macs += group.group_macs(shape, outputs)
                found.activations += group.group_activation_count(shape, outputs)
                _check_limits(found.output, 0)
            except ShapeError as error:
                found.unknown += 1
                _record_error(found, error, node)
        return found

    def _infer_bodies(
        self, node: Node, group: Group, shape: Shape | None
    ) -> tuple[tuple[SequenceShape, int], ...]:
        """The results for the copies of the body, equal neighbors combined."""
        if group.has_branches:
            return ((self.infer_branches(node.children, shape), 1),)
        bodies: list[tuple[SequenceShape, int]] = []
        left = group.copies()
        while left:
            body = self.infer_sequence(node.children, bodies[-1][0].output if bodies else shape, node.id)
            # Once a copy preserves the shape, all later copies are equal to it. A network that is too large
            # to be built is not worth inferring copy by copy: nested Repeats could take hours.
            are_equal = body.output == body.input or body.layer_count * left > MAXIMUM_LAYERS
            bodies.append((body, left if are_equal else 1))
            left -= bodies[-1][1]
        return tuple(bodies)


_EMPTY = SequenceShape(None, (None,), 0, 0, 0, 0, 0, ())


def common_ends(left: Sequence[object], right: Sequence[object]) -> tuple[int, int]:
    """The lengths of the common prefix and of the common suffix of the rest, by identity of the items."""
    shorter = min(len(left), len(right))
    head = _common_prefix(left, right, shorter)
    return head, _common_prefix(left[::-1], right[::-1], shorter - head)


def _common_prefix(left: Sequence[object], right: Sequence[object], limit: int) -> int:
    # Every node of a list is compared after every edit: map, list and index keep the loop in C.
    differences = list(map(is_not, left[:limit], right[:limit]))
    return differences.index(True) if True in differences else limit


def _sequence_shape(
    shape: Shape | None,
    outputs: tuple[Shape | None, ...],
    nodes: Sequence[NodeShape],
    old: SequenceShape,
    removed: Sequence[NodeShape],
    added: Sequence[NodeShape],
) -> SequenceShape:
    """`old` with some node results replaced. Totals are updated by the difference instead of summed anew."""
    return SequenceShape(
        shape,
        outputs,
        old.layer_count + sum(map(_LAYERS, added)) - sum(map(_LAYERS, removed)),
        old.parameters + sum(map(_PARAMETERS, added)) - sum(map(_PARAMETERS, removed)),
        old.macs + sum(map(_MACS, added)) - sum(map(_MACS, removed)),
        old.activations + sum(map(_ACTIVATIONS, added)) - sum(map(_ACTIVATIONS, removed)),
        old.unknown + sum(map(_UNKNOWN, added)) - sum(map(_UNKNOWN, removed)),
        tuple(nodes),
    )


def receptive_field_of(found: NodeShape) -> ReceptiveField:
    """What one output value sees of the node's input. Computed on first use for groups."""
    if found.receptive_field is None:
        found.receptive_field = _sequence_receptive_field(found.bodies)
    return found.receptive_field


def _sequence_receptive_field(bodies: Sequence[tuple[SequenceShape, int]]) -> ReceptiveField:
    """What the output of the last copy sees of the first one's input."""
    total = SINGLE_PIXEL
    for body, count in bodies:
        once = SINGLE_PIXEL
        for found in body.nodes:
            once = once.then(receptive_field_of(found))
        for _ in range(count):
            total = total.then(once)
    return total


def _branches_receptive_field(nodes: Sequence[Node], body: SequenceShape) -> ReceptiveField:
    """What all branches together see."""
    total = SINGLE_PIXEL
    for node, found in zip(nodes, body.nodes, strict=True):
        if node.is_active:
            total = total.union(receptive_field_of(found))
    return total


def _infer_layer(node: Node, shape: Shape) -> NodeShape:
    """The result for a layer that is not a group."""
    layer, found = node.layer, NodeShape(shape, None, layer_count=1, unknown=1)
    try:
        found.output = layer.output_shape(shape)
        found.parameters = layer.parameter_count(shape)
        found.macs = layer.macs(shape)
        found.receptive_field = layer.receptive_field(shape)
        found.activations = layer.activation_count(shape, found.output)
        # Before the limits: of a layer that is too large it is known how large.
        found.unknown = 0
        _check_limits(found.output, found.parameters)
    except ShapeError as error:
        _record_error(found, error, node)
    return found


def _record_error(found: NodeShape, error: ShapeError, node: Node) -> None:
    # The error may be cached for long: its traceback would keep the frames of this analysis alive.
    found.output, found.error = error.assumed, error.with_traceback(None)
    found.fixes = tuple(
        fix for fix in error.fixes if not isinstance(fix, SetParametersInside) or _has_effect(node, fix)
    )


def _has_effect(node: Node, fix: SetParametersInside) -> bool:
    return any(each.layer.with_values(fix.values) != each.layer for each in node.walk_active())


def _check_limits(output: Shape, parameters: int) -> None:
    """Raises ShapeError for a layer that would not fit into any memory."""
    if parameters > MAXIMUM_PARAMETERS:
        message = f"would have {describe_excess_parameters(parameters)}"
        raise ShapeError(message, assumed=output, why=OUT_OF_MEMORY_REASON)
    if output.size > MAXIMUM_OUTPUT:
        raise ShapeError(
            f"would output {output} values per image, {output.size * 4 / 1e9:,.0f} GB; "
            f"the limit is {MAXIMUM_OUTPUT:,} values",
            why=OUT_OF_MEMORY_REASON,
        )


def describe_excess_parameters(parameters: int) -> str:
    """The part of a message about more parameters than are supported."""
    return (
        f"{parameters:,} parameters, {parameters * 4 // 10**9:,} GB of weights alone; "
        f"the limit is {MAXIMUM_PARAMETERS:,}"
    )
