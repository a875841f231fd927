"""What a network makes of its input: shape, parameters, multiply-adds and receptive field per layer, and the problems.

The expensive part, asking the layers, is remembered per (node, input shape) and handed from one analysis to the next, so
that after an edit only what it touched is asked again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Append, Group, Mend, SetParameters, Shape, ShapeError, Window

MAXIMUM_PARAMETERS = 2**31
"""Of one layer. Its weights, gradients and optimizer state would take 32 GB."""

MAXIMUM_OUTPUT = 2**28
"""Numbers that one layer may give for one picture: 1 GB."""


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
    """One node of the design. For a Repeat's contents the costs are those of all copies, the shapes the first one's."""

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


@dataclass(frozen=True)
class _Flow:
    """What a chain of nodes makes of one input shape."""

    input: Shape | None
    output: Shape | None
    parameters: int
    macs: int
    window: Window
    parts: tuple[_Part, ...]


@dataclass(frozen=True)
class _Part:
    """What one node makes of one input shape. `bodies` are the flows of a group's copies, each with its number."""

    input: Shape | None
    output: Shape | None
    parameters: int = 0
    macs: int = 0
    window: Window = field(default_factory=Window)
    error: ShapeError | None = None
    bodies: tuple[tuple[_Flow, int], ...] = ()


_Memory = dict[tuple[int, Shape | None], tuple[Node, _Part]]


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
    """Asks every layer what it makes of its input. `classes` is the number of classes of the data, where it is known.

    `previous` is an earlier analysis, of this or another network: what is the same is taken from it.
    """
    memory = previous._memory if previous else {}
    if len(memory) > 4 * len(network) + 4096:
        memory = {}
    flow = _Asker(memory).chain(network.nodes, network.input)
    reports = list(_reports(network.nodes, [(flow, 1)], Window(), 0, network.input))
    ending = _ending(network, flow, classes, {report.node.id: report for report in reports})
    if ending is not None:
        reports = [_blamed(report, ending) for report in reports]
    problems = [report.problem for report in reports if report.problem]
    if ending is not None and ending not in problems and not problems:
        problems.append(ending)
    return Analysis(network, tuple(reports), flow.output, flow.parameters, flow.macs, tuple(problems), memory)


class _Asker:
    """Follows a shape through the nodes and remembers every answer."""

    def __init__(self, memory: _Memory) -> None:
        self._memory = memory

    def chain(self, nodes: tuple[Node, ...], shape: Shape | None) -> _Flow:
        first, parameters, macs, window, parts = shape, 0, 0, Window(), []
        for node in nodes:
            part = self.part(node, shape)
            parts.append(part)
            shape = part.output
            parameters += part.parameters
            macs += part.macs
            window = window.then(part.window)
        return _Flow(first, shape, parameters, macs, window, tuple(parts))

    def part(self, node: Node, shape: Shape | None) -> _Part:
        # The node is kept with the answer, so that its id() cannot come to mean another node.
        key = (id(node), shape)
        entry = self._memory.get(key)
        if entry is None:
            entry = self._memory[key] = (node, self._ask(node, shape))
        return entry[1]

    def _ask(self, node: Node, shape: Shape | None) -> _Part:
        if not node.enabled:
            return _Part(shape, shape, bodies=((self.chain(node.children, None), 1),))
        if isinstance(node.layer, Group):
            return self._ask_group(node, node.layer, shape)
        if shape is None:
            return _Part(None, None)
        layer = node.layer
        try:
            output = layer.output_shape(shape)
            parameters = layer.parameter_count(shape)
            part = _Part(shape, output, parameters, layer.macs(shape), layer.window(shape))
            return dataclasses.replace(part, error=_too_large(output, parameters))
        except ShapeError as error:
            return _Part(shape, error.assumed, error=error)

    def _ask_group(self, node: Node, group: Group, shape: Shape | None) -> _Part:
        bodies = self._bodies(node, group, shape)
        inside, window = bodies[-1][0].output, Window()
        for flow, count in bodies:
            for _ in range(count):
                window = window.then(flow.window)
        parameters = sum(flow.parameters * count for flow, count in bodies)
        macs = sum(flow.macs * count for flow, count in bodies)
        part = _Part(shape, None, parameters, macs, window, bodies=bodies)
        # A group in which nothing is switched on passes its input on.
        if shape is None or inside is None or not any(child.enabled for child in node.children):
            return dataclasses.replace(part, output=inside)
        try:
            return dataclasses.replace(
                part,
                output=group.join(shape, inside),
                parameters=parameters + group.own_parameter_count(shape, inside),
                macs=macs + group.own_macs(shape, inside),
            )
        except ShapeError as error:
            return dataclasses.replace(part, output=error.assumed, error=error)

    def _bodies(self, node: Node, group: Group, shape: Shape | None) -> tuple[tuple[_Flow, int], ...]:
        """The copies of the body. Once a copy gives the shape that it takes, all that follow are like it."""
        bodies = [(self.chain(node.children, shape), 1)]
        left = group.copies() - 1
        while left:
            flow, count = bodies[-1]
            if flow.output == flow.input:
                bodies[-1] = (flow, count + left)
                break
            bodies.append((self.chain(node.children, flow.output), 1))
            left -= 1
        return tuple(bodies)


def _reports(
    nodes: tuple[Node, ...], flows: list[tuple[_Flow, int]], window: Window, depth: int, picture: Shape
) -> Iterator[LayerReport]:
    """The rows of one list. `flows` are what its copies make of their inputs, with their numbers."""
    sources = ["" if depth else " from the input"] * len(flows)
    for index, node in enumerate(nodes):
        parts = [(flow.parts[index], count) for flow, count in flows]
        first = parts[0][0]
        seen = window.then(first.window)
        yield LayerReport(
            node,
            depth,
            first.input,
            first.output,
            sum(part.parameters * count for part, count in parts),
            sum(part.macs * count for part, count in parts),
            _receptive_field(seen, picture) if first.output else None,
            _first_problem(node, [part for part, _ in parts], sources),
        )
        inner = [(flow, times * count) for part, count in parts for flow, times in part.bodies]
        if node.children:
            yield from _reports(node.children, inner, window, depth + 1, picture)
        window = seen
        if node.enabled:
            sources = [f" from {node.title}"] * len(flows)


def _first_problem(node: Node, parts: list[_Part], sources: list[str]) -> Problem | None:
    for copy, (part, source) in enumerate(zip(parts, sources, strict=True), start=1):
        if part.error is not None:
            subject = node.title if copy == 1 else f"{node.title} (in copy {copy})"
            return Problem(node.id, f"{subject} {part.error.message.replace('{source}', source)}", part.error.fix)
    return None


def _receptive_field(window: Window, picture: Shape) -> tuple[int, int] | None:
    if not picture.is_picture:
        return None
    if window.kernel is None:
        return picture.height, picture.width
    return min(window.kernel[0], picture.height), min(window.kernel[1], picture.width)


def _too_large(output: Shape, parameters: int) -> ShapeError | None:
    if parameters > MAXIMUM_PARAMETERS:
        return ShapeError(
            f"would have {parameters:,} parameters, {parameters * 4 / 1e9:,.0f} GB of weights alone; "
            f"at most {MAXIMUM_PARAMETERS:,} are possible"
        )
    if output.size > MAXIMUM_OUTPUT:
        return ShapeError(
            f"would give {output} numbers, {output.size * 4 / 1e9:,.0f} GB, for each picture; "
            f"at most {MAXIMUM_OUTPUT:,} are possible"
        )
    return None


def _ending(
    network: Network, flow: _Flow, classes: int | None, reports: Mapping[str, LayerReport]
) -> Problem | None:
    """What keeps the network's output from being one score a class."""
    enabled = [node for node in network.nodes if node.enabled]
    if not enabled:
        return Problem(None, "The network has no layers yet: drag some in from the palette, or open a template")
    if flow.output is None:
        return None
    last = enabled[-1]
    dense: tuple[str, dict[str, Any]] = ("Dense", {"units": classes} if classes else {"units": 10})
    if not flow.output.is_flat:
        message = f"The network ends with {flow.output} from {last.title}, but class scores are a flat vector"
        return Problem(last.id, message, Append((("Flatten", {}), dense)))
    if classes is None or flow.output.features == classes:
        return None
    message = f"{last.title} gives {flow.output} scores, but the data has {classes} classes"
    for node in reversed(enabled):
        if hasattr(node.layer, "units"):
            return Problem(node.id, message, SetParameters({"units": classes}, f"set units to {classes}"))
        if reports[node.id].input != reports[node.id].output:
            break
    return Problem(last.id, message, Append((dense,)))


def _blamed(report: LayerReport, problem: Problem) -> LayerReport:
    if report.node.id != problem.node_id or report.problem is not None:
        return report
    return dataclasses.replace(report, problem=problem)
