"""What a network makes of its input, layer by layer: shape, cost, receptive field; and what is wrong with it.

Answers of layers are remembered per node and input shape, and rows per place in the list. Both go from one
analysis to the next, so that after an edit only what it touched is worked out again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from cnnstudio.design.network import MAXIMUM_NODES, Network, Node
from cnnstudio.layers.base import Append, Group, Mend, SetInside, Shape, ShapeError, Window

MAXIMUM_PARAMETERS = 2**31
"""Of one layer and of the whole network. Weights, gradients and optimizer state would take 32 GB."""

MAXIMUM_OUTPUT = 2**28
"""Numbers that one layer may give for one picture: 1 GB."""

MAXIMUM_LAYERS = MAXIMUM_NODES
"""Of the whole network, all copies in Repeats counted."""


_POINT = Window()


@dataclass(frozen=True)
class Problem:
    """What stops the network from training: one sentence, and what would mend it."""

    node_id: str | None
    """The faulty layer; None for the network as a whole."""
    message: str
    """What is wrong, without the mend."""
    mend: Mend | None = None

    @property
    def sentence(self) -> str:
        """What is wrong and what to do: `Dense takes …, but gets …: insert Flatten before it`."""
        return self.message if self.mend is None else f"{self.message}: {self.mend.advice}"


@dataclass(frozen=True)
class LayerReport:
    """One node of the design. In a Repeat: the costs of all copies, the shapes of the first."""

    node: Node
    depth: int
    input: Shape | None
    output: Shape | None
    """None where the layer, or something before it, has no known output."""
    parameters: int
    macs: int
    receptive_field: tuple[int, int] | None
    """Height × width in input pixels that one output value sees, at most the whole picture."""
    problem: Problem | None


@dataclass(slots=True, eq=False)
class _Flow:
    """What a chain of nodes makes of one input shape. `layers` counts what would be built."""

    input: Shape | None
    output: Shape | None
    layers: int
    parameters: int
    macs: int
    parts: tuple[_Part, ...]


@dataclass(slots=True, eq=False)
class _Part:
    """What one node makes of one input shape. `bodies` are the flows of a group's copies, counted."""

    input: Shape | None
    output: Shape | None
    layers: int = 0
    parameters: int = 0
    macs: int = 0
    window: Window = _POINT
    error: ShapeError | None = None
    bodies: tuple[tuple[_Flow, int], ...] = ()
    row: _Row | None = None
    """How the node was last reported with this part; good for as long as the context is the same."""


class _Context(NamedTuple):
    """All that the reports of a node and of what is in it depend on, besides the node itself."""

    parts: tuple[_Part, ...]
    """What it makes of its input in each copy of the groups around it that differs from the others."""
    counts: tuple[int, ...]
    """How many copies are like that."""
    sources: tuple[str, ...]
    """Where the input comes from: ` from MaxPooling2D`."""
    seen: Window
    depth: int
    picture: Shape


@dataclass(slots=True, eq=False)
class _Row:
    """The reports of a node and of all in it, and what holds for the node after it."""

    context: _Context
    reports: list[LayerReport]
    seen: Window
    sources: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Known:
    """The answers of one node, which is kept so that its id() cannot come to mean another one."""

    node: Node
    last: _Part
    parts: dict[Shape | None, _Part]


_Memory = dict[int, _Known]
_SHAPES_PER_NODE = 64


@dataclass(frozen=True)
class Analysis:
    """The reports of all layers, top to bottom as in the list, and the totals of what is enabled."""

    network: Network
    reports: tuple[LayerReport, ...]
    output: Shape | None
    parameters: int
    macs: int
    problems: tuple[Problem, ...]
    _memory: _Memory = field(repr=False, compare=False, default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[str, LayerReport]:
        return {report.node.id: report for report in self.reports}

    def __getitem__(self, node_id: str) -> LayerReport:
        return self.by_id[node_id]


def analyse(network: Network, previous: Analysis | None = None, *, classes: int | None = None) -> Analysis:
    """Asks every layer what it makes of its input. `classes` are those of the data, where they are known.

    `previous` is an earlier analysis, of this or another network: what is the same is taken from it.
    """
    memory = previous._memory if previous else {}
    if previous and len(memory) > 4 * len(previous.reports) + 4096:
        memory = {}
    flow = _Asker(memory).chain(network.nodes, network.input)
    reports = _reports(network.nodes, [(flow, 1)], (" from the input",), _POINT, 0, network.input)
    problem = _ending(network, flow, classes)
    if problem is not None:
        _blame(reports, problem)
    problems = [report.problem for report in reports if report.problem]
    problems += _of_the_whole(flow)
    return Analysis(network, tuple(reports), flow.output, flow.parameters, flow.macs, tuple(problems), memory)


class _Asker:
    """Follows a shape through the nodes and remembers every answer."""

    def __init__(self, memory: _Memory) -> None:
        self._memory = memory

    def chain(self, nodes: tuple[Node, ...], shape: Shape | None) -> _Flow:
        first, parts = shape, []
        for node in nodes:
            known = self._memory.get(id(node))
            # Shapes are handed on as the same object, so that most answers are found without a comparison.
            part = known.last if known is not None and known.last.input is shape else self._part(node, shape)
            parts.append(part)
            shape = part.output
        return _Flow(
            first,
            shape,
            sum([part.layers for part in parts]),
            sum([part.parameters for part in parts]),
            sum([part.macs for part in parts]),
            tuple(parts),
        )

    def _part(self, node: Node, shape: Shape | None) -> _Part:
        known = self._memory.get(id(node))
        if known is None or shape not in known.parts:
            part = self._ask(node, shape)
            if known is None or len(known.parts) >= _SHAPES_PER_NODE:
                known = self._memory[id(node)] = _Known(node, part, {})
            known.parts[shape] = part
        known.last = known.parts[shape]
        return known.last

    def _ask(self, node: Node, shape: Shape | None) -> _Part:
        if not node.enabled:
            return _Part(shape, shape, bodies=((self.chain(node.children, None), 1),))
        if isinstance(node.layer, Group):
            return self._ask_group(node, node.layer, shape)
        layer, part = node.layer, _Part(shape, None, layers=1)
        if shape is None:
            return part
        try:
            part.output = layer.output_shape(shape)
            part.parameters = layer.parameter_count(shape)
            part.macs = layer.macs(shape)
            part.window = layer.window(shape)
            _require_possible(part.output, part.parameters)
        except ShapeError as error:
            part.output, part.error = error.assumed, error.with_traceback(None)
        return part

    def _ask_group(self, node: Node, group: Group, shape: Shape | None) -> _Part:
        bodies = self._bodies(node, group, shape)
        inside = bodies[-1][0].output
        part = _Part(
            shape,
            inside,
            1 + sum(flow.layers * count for flow, count in bodies),
            sum(flow.parameters * count for flow, count in bodies),
            sum(flow.macs * count for flow, count in bodies),
            _window(bodies),
            bodies=bodies,
        )
        if not node.is_active:
            part.layers = 0
        elif shape is not None and inside is not None:
            try:
                part.output = group.join(shape, inside)
                part.parameters += group.own_parameter_count(shape, inside)
                part.macs += group.own_macs(shape, inside)
            except ShapeError as error:
                part.output, part.error = error.assumed, error.with_traceback(None)
                if isinstance(error.fix, SetInside) and not _changes(node, error.fix):
                    error.fix = None
        return part

    def _bodies(self, node: Node, group: Group, shape: Shape | None) -> tuple[tuple[_Flow, int], ...]:
        """The copies of the body. Once a copy gives the shape that it takes, all that follow are like it."""
        bodies: list[tuple[_Flow, int]] = []
        left = group.copies()
        while left:
            flow = self.chain(node.children, bodies[-1][0].output if bodies else shape)
            # What is too large to be built is not worth asking for every copy, which could take hours.
            alike = flow.output == flow.input or flow.layers * left > MAXIMUM_LAYERS
            bodies.append((flow, left if alike else 1))
            left -= bodies[-1][1]
        return tuple(bodies)


def _changes(node: Node, mend: SetInside) -> bool:
    return any(each.layer.taking(mend.values) != each.layer for each in node.walk_active())


def _window(bodies: Sequence[tuple[_Flow, int]]) -> Window:
    window = _POINT
    for flow, count in bodies:
        once = _POINT
        for part in flow.parts:
            once = once.then(part.window)
        for _ in range(count):
            window = window.then(once)
    return window


def _require_possible(output: Shape, parameters: int) -> None:
    """Raises ShapeError for what no memory holds."""
    if parameters > MAXIMUM_PARAMETERS:
        raise ShapeError(f"would have {_too_many(parameters)}", assumed=output)
    if output.size > MAXIMUM_OUTPUT:
        raise ShapeError(
            f"would give {output} numbers, {output.size * 4 / 1e9:,.0f} GB, for each picture; "
            f"at most {MAXIMUM_OUTPUT:,} are possible"
        )


def _too_many(parameters: int) -> str:
    return (
        f"{parameters:,} parameters, {parameters * 4 // 10**9:,} GB of weights alone; "
        f"at most {MAXIMUM_PARAMETERS:,} are possible"
    )


def _reports(
    nodes: tuple[Node, ...],
    flows: Sequence[tuple[_Flow, int]],
    sources: tuple[str, ...],
    seen: Window,
    depth: int,
    picture: Shape,
) -> list[LayerReport]:
    """The rows of one list. `flows` are what its copies make of their inputs, with their numbers."""
    reports: list[LayerReport] = []
    counts = tuple(count for _, count in flows)
    parts_of_nodes = zip(*(flow.parts for flow, _ in flows), strict=True)
    for node, parts in zip(nodes, parts_of_nodes, strict=True):
        context = (parts, counts, sources, seen, depth, picture)
        row = parts[0].row
        if row is None or row.context != context:
            row = parts[0].row = _row(node, _Context(*context))
        reports += row.reports
        seen, sources = row.seen, row.sources
    return reports


def _row(node: Node, context: _Context) -> _Row:
    parts, counts, sources, seen, depth, picture = context
    first = parts[0]
    size = picture.height, picture.width
    beyond = seen.then(first.window, limit=size)
    report = LayerReport(
        node,
        depth,
        first.input,
        first.output,
        sum(part.parameters * count for part, count in zip(parts, counts, strict=True)),
        sum(part.macs * count for part, count in zip(parts, counts, strict=True)),
        (beyond.kernel or size) if first.output else None,
        _first_problem(node, context),
    )
    reports = [report]
    if node.children:
        flows, inner_sources = _inside(node, context)
        reports += _reports(node.children, flows, inner_sources, seen, depth + 1, picture)
    if node.is_active:
        sources = (f" from {node.title}",) * len(parts)
    return _Row(context, reports, beyond, sources)


def _inside(node: Node, context: _Context) -> tuple[list[tuple[_Flow, int]], tuple[str, ...]]:
    """The flows through a group's contents, and where their inputs come from."""
    last = next((child.title for child in reversed(node.children) if child.is_active), "")
    flows, sources = [], []
    for part, count, source in zip(context.parts, context.counts, context.sources, strict=True):
        for number, (flow, times) in enumerate(part.bodies):
            flows.append((flow, count * times))
            sources.append(f" from {last}" if number else source)
    return flows, tuple(sources)


def _first_problem(node: Node, context: _Context) -> Problem | None:
    copy = 1
    for part, count, source in zip(context.parts, context.counts, context.sources, strict=True):
        if part.error is not None:
            subject = node.title if copy == 1 else f"{node.title} (in copy {copy})"
            return Problem(
                node.id, f"{subject} {part.error.message.replace('{source}', source)}", part.error.fix
            )
        copy += count
    return None


def _of_the_whole(flow: _Flow) -> Iterator[Problem]:
    """What no single layer is to blame for."""
    if flow.layers == 0:
        yield Problem(
            None, "The network has no layers yet: drag some in from the palette, or open a template"
        )
    if flow.layers > MAXIMUM_LAYERS:
        yield Problem(
            None,
            f"The network would have {flow.layers:,} layers, all copies counted; "
            f"at most {MAXIMUM_LAYERS:,} are possible",
        )
    if flow.parameters > MAXIMUM_PARAMETERS:
        yield Problem(None, f"The network would have {_too_many(flow.parameters)}")


def _ending(network: Network, flow: _Flow, classes: int | None) -> Problem | None:
    """What keeps the network's output from being one learnt score a class."""
    last = next((node for node in reversed(network.nodes) if node.is_active), None)
    if last is None or flow.output is None:
        return None
    dense = ("Dense", {"units": classes or 10})
    if not flow.output.is_flat:
        message = f"The network ends with {flow.output} from {last.title}, but class scores are a flat vector"
        return Problem(last.id, message, Append((("Flatten", {}), dense)))
    if classes is None:
        return None
    if flow.output.features != classes:
        message = f"{last.title} gives {flow.output} scores, but the data has {classes} classes"
        return _giving(network, flow, classes, message) or Problem(last.id, message, Append((dense,)))
    if flow.parameters == 0:
        return Problem(last.id, "The network has no weights that could learn", Append((dense,)))
    return None


def _giving(network: Network, flow: _Flow, classes: int, message: str) -> Problem | None:
    """The problem as one of the last layer that decides how many scores there are, if it can be told to."""
    scores = Shape.of(classes)
    for node, part in zip(reversed(network.nodes), reversed(flow.parts), strict=True):
        if not node.is_active:
            continue
        mend = node.layer.giving(classes)
        if mend is not None:
            return Problem(node.id, message, mend)
        passes_on = not node.is_group and part.input is not None and part.input.is_flat
        if not passes_on or node.layer.output_shape(scores) != scores:
            break
    return None


def _blame(reports: list[LayerReport], problem: Problem) -> None:
    """Puts the problem into its layer's report, unless there is one already: that comes first."""
    for index, report in enumerate(reports):
        if report.node.id == problem.node_id and report.problem is None:
            reports[index] = dataclasses.replace(report, problem=problem)
