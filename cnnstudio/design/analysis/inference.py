"""What nodes make of the shapes that reach them: shapes, costs, windows, errors. Answers are remembered.

They are kept per node and input shape and go from one analysis to the next, so that after an edit only what
it touched is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter, is_not

from cnnstudio.design.network import MAXIMUM_NODES, Node
from cnnstudio.layers.base import Fix, Group, Layer, SetInside, Shape, ShapeError, Window

MAXIMUM_PARAMETERS = 2**31
"""Of one layer and of the whole network. Weights, gradients and optimizer state would take 32 GB."""

MAXIMUM_OUTPUT = 2**28
"""Numbers that one layer may give for one image: 1 GB."""

MAXIMUM_LAYERS = MAXIMUM_NODES
"""Of the whole network, all copies in Repeats counted."""

NO_MEMORY = "What does not fit into memory cannot be trained."

POINT = Window()
"""What is seen before the first layer: the pixel itself."""

_SHAPES_PER_NODE = 64

_LAYERS, _PARAMETERS, _MACS, _ACTIVATIONS = map(attrgetter, ("layers", "parameters", "macs", "activations"))


@dataclass(slots=True, eq=False)
class Flow:
    """What a list of nodes makes of one input shape. `layers` counts what would be built."""

    input: Shape | None
    ends: tuple[Shape | None, ...]
    """What the last node gives; in branches what each of them gives."""
    layers: int
    parameters: int
    macs: int
    activations: int
    parts: tuple[Part, ...]

    @property
    def output(self) -> Shape | None:
        """What the last node gives."""
        return self.ends[-1]


@dataclass(slots=True, eq=False)
class Part:
    """What one node makes of one input shape. `bodies` are the flows of a group's copies, counted."""

    input: Shape | None
    output: Shape | None
    layers: int = 0
    parameters: int = 0
    macs: int = 0
    activations: int = 0
    window: Window | None = POINT
    """None until somebody asks; `window_of` does."""
    error: ShapeError | None = None
    fixes: tuple[Fix, ...] = ()
    """Those of the error that change something here."""
    bodies: tuple[tuple[Flow, int], ...] = ()
    row: object = None
    """Room for whoever reports the node: what it last made of this part, which lives as long as the part."""

    def again(self) -> Part:
        """The same for another layer that is like this one."""
        return Part(
            self.input,
            self.output,
            self.layers,
            self.parameters,
            self.macs,
            self.activations,
            self.window,
            self.error,
            self.fixes,
        )


@dataclass(slots=True, eq=False)
class _Known:
    """The answers of one node, which is kept so that its id() cannot come to mean another one."""

    node: Node
    last: Part
    parts: dict[Shape | None, Part]


ListKey = str | None
"""Whose list of nodes it is: a group's id; None for the network itself."""


@dataclass(slots=True, eq=False)
class Cache:
    """What goes from one analysis to the next: it spares work, and what it says holds whatever was edited.

    Without `answers` opening a large design takes half as long again; without `nodes` the undo of an edit
    that changed all shapes below takes several times as long; without `flows` every edit does.
    """

    nodes: dict[int, _Known] = field(default_factory=dict)
    """The answers of nodes by their id()."""
    flows: dict[tuple[ListKey, Shape | None], tuple[tuple[Node, ...], Flow]] = field(default_factory=dict)
    """What lists made of their inputs when they were last asked, and of which nodes they were then."""
    answers: dict[tuple[Layer, Shape], Part] = field(default_factory=dict)
    """What layers, wherever they stand, said of their inputs."""

    def __len__(self) -> int:
        return len(self.nodes) + len(self.flows) + len(self.answers)


class Asker:
    """Follows a shape through the nodes and remembers every answer."""

    def __init__(self, cache: Cache) -> None:
        self._nodes = cache.nodes
        self._flows = cache.flows
        self._answers = cache.answers

    def chain(self, nodes: tuple[Node, ...], shape: Shape | None, key: ListKey = None) -> Flow:
        """The nodes in a row. What their list was when it was last asked is taken over as far as it goes."""
        before, flow = self._flows.get((key, shape), ((), _NOTHING))
        head, tail = alike(nodes, before)
        if head == len(nodes) == len(before) > 0:
            return flow
        parts = list(flow.parts[:head])
        between = parts[-1].output if parts else shape
        kept = len(before)
        for place in range(head, len(nodes)):
            old = place - len(nodes) + len(before)
            if place >= len(nodes) - tail and flow.parts[old].input == between:
                parts += flow.parts[old:]
                kept = old
                break
            parts.append(self._follow(nodes[place], between))
            between = parts[-1].output
        end = parts[-1].output if parts else shape
        new = parts[head : len(parts) - len(before) + kept]
        flow = _flow(shape, (end,), parts, flow, flow.parts[head:kept], new)
        self._flows[key, shape] = nodes, flow
        return flow

    def _follow(self, node: Node, shape: Shape | None) -> Part:
        known = self._nodes.get(id(node))
        # Shapes are handed on as the same object, so that most answers are found without a comparison.
        return known.last if known is not None and known.last.input is shape else self._part(node, shape)

    def fan(self, nodes: tuple[Node, ...], shape: Shape | None) -> Flow:
        """The nodes side by side."""
        parts = [self._part(node, shape) for node in nodes]
        ends = tuple(part.output for node, part in zip(nodes, parts, strict=True) if node.is_active)
        return _flow(shape, ends, parts, _NOTHING, (), parts)

    def _part(self, node: Node, shape: Shape | None) -> Part:
        known = self._nodes.get(id(node))
        if known is None or shape not in known.parts:
            part = self._ask(node, shape)
            if known is None or len(known.parts) >= _SHAPES_PER_NODE:
                known = self._nodes[id(node)] = _Known(node, part, {})
            known.parts[shape] = part
        known.last = known.parts[shape]
        return known.last

    def _ask(self, node: Node, shape: Shape | None) -> Part:
        if not node.enabled:
            return Part(shape, shape, bodies=((self.chain(node.children, None, node.id), 1),))
        if isinstance(node.layer, Group):
            return self._ask_group(node, node.layer, shape)
        if shape is None:
            return Part(shape, None, layers=1)
        # Layers that are equal give equal answers, and most of a deep design is alike.
        answer = self._answers.get((node.layer, shape))
        if answer is None:
            answer = self._answers[node.layer, shape] = _answer(node, shape)
        return answer.again()

    def _ask_group(self, node: Node, group: Group, shape: Shape | None) -> Part:
        bodies = self._bodies(node, group, shape)
        part = Part(
            shape,
            shape,
            1 + sum(flow.layers * count for flow, count in bodies),
            sum(flow.parameters * count for flow, count in bodies),
            sum(flow.macs * count for flow, count in bodies),
            sum(flow.activations * count for flow, count in bodies),
            _side_by_side(node.children, bodies[0][0]) if group.branches else None,
            bodies=bodies,
        )
        if not node.is_active:
            part.layers = 0
            return part
        part.output = None
        inside = [end for end in bodies[-1][0].ends if end is not None]
        if shape is not None and len(inside) == len(bodies[-1][0].ends):
            try:
                part.output = group.join(shape, inside)
                part.parameters += group.own_parameter_count(shape, inside)
                part.macs += group.own_macs(shape, inside)
                part.activations += group.joined_activations(shape, inside)
                _require_possible(part.output, 0)
            except ShapeError as error:
                _refused(part, error, node)
        return part

    def _bodies(self, node: Node, group: Group, shape: Shape | None) -> tuple[tuple[Flow, int], ...]:
        """The copies of the body. Once a copy gives the shape that it takes, all that follow are like it."""
        if group.branches:
            return ((self.fan(node.children, shape), 1),)
        bodies: list[tuple[Flow, int]] = []
        left = group.copies()
        while left:
            flow = self.chain(node.children, bodies[-1][0].output if bodies else shape, node.id)
            # What is too large to be built is not worth asking for every copy, which could take hours.
            alike = flow.output == flow.input or flow.layers * left > MAXIMUM_LAYERS
            bodies.append((flow, left if alike else 1))
            left -= bodies[-1][1]
        return tuple(bodies)


_NOTHING = Flow(None, (None,), 0, 0, 0, 0, ())


def alike(left: Sequence[object], right: Sequence[object]) -> tuple[int, int]:
    """How many things at the start of both are the very same, and of the others at the end."""
    shorter = min(len(left), len(right))
    head = _same(left, right, shorter)
    return head, _same(left[::-1], right[::-1], shorter - head)


def _same(left: Sequence[object], right: Sequence[object], most: int) -> int:
    # This looks at every node of a list after every edit, so it is done by functions that are not Python's.
    differences = list(map(is_not, left[:most], right[:most]))
    return differences.index(True) if True in differences else most


def _flow(
    shape: Shape | None,
    ends: tuple[Shape | None, ...],
    parts: Sequence[Part],
    before: Flow,
    gone: Sequence[Part],
    new: Sequence[Part],
) -> Flow:
    """A flow that has `new` parts where the one before had those that are gone."""
    return Flow(
        shape,
        ends,
        before.layers + sum(map(_LAYERS, new)) - sum(map(_LAYERS, gone)),
        before.parameters + sum(map(_PARAMETERS, new)) - sum(map(_PARAMETERS, gone)),
        before.macs + sum(map(_MACS, new)) - sum(map(_MACS, gone)),
        before.activations + sum(map(_ACTIVATIONS, new)) - sum(map(_ACTIVATIONS, gone)),
        tuple(parts),
    )


def window_of(part: Part) -> Window:
    """What one output value sees of the part's input, put together of what each layer inside sees."""
    if part.window is None:
        part.window = _in_a_row(part.bodies)
    return part.window


def _in_a_row(bodies: Sequence[tuple[Flow, int]]) -> Window:
    """What the end of the last copy sees."""
    window = POINT
    for flow, count in bodies:
        once = POINT
        for part in flow.parts:
            once = once.then(window_of(part))
        for _ in range(count):
            window = window.then(once)
    return window


def _side_by_side(nodes: Sequence[Node], flow: Flow) -> Window:
    """What the branches see together."""
    window = POINT
    for node, part in zip(nodes, flow.parts, strict=True):
        if node.is_active:
            window = window.beside(window_of(part))
    return window


def _answer(node: Node, shape: Shape) -> Part:
    """What a layer that is no group says of its input."""
    layer, part = node.layer, Part(shape, None, layers=1)
    try:
        part.output = layer.output_shape(shape)
        part.parameters = layer.parameter_count(shape)
        part.macs = layer.macs(shape)
        part.window = layer.window(shape)
        part.activations = layer.own_activations(shape, part.output)
        _require_possible(part.output, part.parameters)
    except ShapeError as error:
        _refused(part, error, node)
    return part


def _refused(part: Part, error: ShapeError, node: Node) -> None:
    part.output, part.error = error.assumed, error.with_traceback(None)
    part.fixes = tuple(fix for fix in error.fixes if not isinstance(fix, SetInside) or _changes(node, fix))


def _changes(node: Node, fix: SetInside) -> bool:
    return any(each.layer.taking(fix.values) != each.layer for each in node.walk_active())


def _require_possible(output: Shape, parameters: int) -> None:
    """Raises ShapeError for what no memory holds."""
    if parameters > MAXIMUM_PARAMETERS:
        raise ShapeError(f"would have {too_many(parameters)}", assumed=output, why=NO_MEMORY)
    if output.size > MAXIMUM_OUTPUT:
        raise ShapeError(
            f"would give {output} numbers, {output.size * 4 / 1e9:,.0f} GB, for each image; "
            f"at most {MAXIMUM_OUTPUT:,} are possible",
            why=NO_MEMORY,
        )


def too_many(parameters: int) -> str:
    """Words for more parameters than are possible."""
    return (
        f"{parameters:,} parameters, {parameters * 4 // 10**9:,} GB of weights alone; "
        f"at most {MAXIMUM_PARAMETERS:,} are possible"
    )
