"""What a network makes of its input, layer by layer: shape, cost, receptive field; and what is wrong with it.

Answers of layers are remembered per node and input shape, and rows per place in the list. Both go from one
analysis to the next, so that after an edit only what it touched is worked out again.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from cnnstudio.design.analysis.inference import (
    MAXIMUM_LAYERS,
    MAXIMUM_OUTPUT,
    MAXIMUM_PARAMETERS,
    POINT,
    Asker,
    Cache,
    Flow,
    ListKey,
    Part,
    alike,
    window_of,
)
from cnnstudio.design.analysis.problems import of_the_ending, of_the_whole
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import WHOLE, Shape, Window

__all__ = [
    "MAXIMUM_LAYERS",
    "MAXIMUM_OUTPUT",
    "MAXIMUM_PARAMETERS",
    "Analysis",
    "LayerReport",
    "analyze",
]

_REPORTS = operator.attrgetter("reports")


class LayerReport(NamedTuple):
    """One node of the design. In a Repeat: the costs of all copies, the shapes of the first."""

    # No dataclass: hundreds are made in the moment between an edit and its drawing.

    node: Node
    depth: int
    input: Shape | None
    """What reaches it: the output of the layer above, or, of a branch, its group's input."""
    output: Shape | None
    """None where the layer, or something before it, has no known output."""
    parameters: int
    macs: int
    activations: int
    """Numbers that it keeps for one image until the way back; of a group, those of all in it too."""
    receptive_field: tuple[int, int] | None
    """Height × width in input pixels that one output value sees, at most the whole image."""
    window: Window
    """Where these pixels are; only with a `receptive_field`."""
    problem: Problem | None


class _Context(NamedTuple):
    """All that the reports of a node and of what is in it depend on, besides the node itself."""

    parts: tuple[Part, ...]
    """What it makes of its input in each copy of the groups around it that differs from the others."""
    counts: tuple[int, ...]
    """How many copies are like that."""
    sources: tuple[str, ...]
    """Where the input comes from: ` from MaxPooling2D`."""
    seen: Window
    depth: int
    image: Shape


@dataclass(slots=True, eq=False)
class Row:
    """The reports of a node and of all in it, and what holds for the node after it."""

    context: _Context
    reports: list[LayerReport]
    seen: Window
    sources: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Listing:
    """The rows of a list: what held before it, what its nodes made of that, and how they were reported."""

    start: _Context
    parts: tuple[Part, ...]
    rows: list[Row]


@dataclass(slots=True, eq=False)
class _Memory:
    """What goes from one analysis to the next: the answers of layers, and how lists were last reported."""

    answers: Cache = field(default_factory=Cache)
    listings: dict[ListKey, Listing] = field(default_factory=dict)
    """Without it every edit takes several times as long."""


@dataclass(frozen=True)
class Analysis:
    """The reports of all layers, top to bottom as in the list, and the totals of what is enabled."""

    network: Network
    reports: tuple[LayerReport, ...]
    output: Shape | None
    parameters: int
    macs: int
    activations: int
    problems: tuple[Problem, ...]
    _memory: _Memory = field(repr=False, compare=False, default_factory=_Memory)

    @cached_property
    def by_id(self) -> Mapping[str, LayerReport]:
        return {report.node.id: report for report in self.reports}

    def __getitem__(self, node_id: str) -> LayerReport:
        return self.by_id[node_id]


def analyze(network: Network, previous: Analysis | None = None, *, classes: int | None = None) -> Analysis:
    """Asks every layer what it makes of its input. `classes` are those of the data, where they are known.

    `previous` is an earlier analysis, of this or another network: what is the same is taken from it.
    """
    memory = previous._memory if previous else _Memory()
    if previous and len(memory.answers) > 8 * len(previous.reports) + 8192:
        memory = _Memory()
    flow = Asker(memory.answers).chain(network.nodes, network.input)
    start = _Context((), (1,), (" from the input",), POINT, 0, network.input)
    reports = _reports(_Reporter(memory.listings).in_a_row(None, network.nodes, flow, start))
    problem = of_the_ending(network, flow, classes)
    if problem is not None:
        _blame(reports, problem)
    problems = [report.problem for report in reports if report.problem]
    problems += of_the_whole(flow)
    return Analysis(
        network,
        tuple(reports),
        flow.output,
        flow.parameters,
        flow.macs,
        flow.activations,
        tuple(problems),
        memory,
    )


class _Reporter:
    """Makes the rows, as far as they cannot be taken over from when they were last made."""

    def __init__(self, listings: dict[ListKey, Listing]) -> None:
        self._listings = listings

    def in_a_row(self, key: ListKey, nodes: tuple[Node, ...], flow: Flow, start: _Context) -> list[Row]:
        """The rows of a list in which each node gets what the one before it gives, in one way only."""
        before = self._listings.get(key)
        if before is None or before.start != start:
            before = Listing(start, (), [])
        head, tail = alike(flow.parts, before.parts)
        rows = before.rows[:head]
        for place in range(head, len(nodes)):
            state = _behind(rows[-1] if rows else start)
            old = place - len(nodes) + len(before.rows)
            if place >= len(nodes) - tail and state == _behind(before.rows[old - 1] if old else start):
                rows += before.rows[old:]
                break
            rows.append(self._row_of(nodes[place], (flow.parts[place],), start, *state))
        self._listings[key] = Listing(start, flow.parts, rows)
        return rows

    def _of_copies(self, group: Node, flows: Sequence[Flow], start: _Context) -> list[LayerReport]:
        """The rows of a list that gets its input in several ways, or whose nodes are branches."""
        reports: list[LayerReport] = []
        state = _behind(start)
        parts_of_nodes = zip(*(flow.parts for flow in flows), strict=True)
        for node, parts in zip(group.children, parts_of_nodes, strict=True):
            row = self._row_of(node, parts, start, *state)
            reports += row.reports
            state = state if group.has_branches else _behind(row)
        return reports

    def _contents(self, node: Node, context: _Context) -> tuple[list[LayerReport], Window | None]:
        """The rows of what is in a group; and what is seen at their end, where the group sees just that."""
        flows, start = _inside(node, context)
        if len(flows) > 1 or node.has_branches:
            return self._of_copies(node, flows, start), None
        rows = self.in_a_row(node.id, node.children, flows[0], start)
        is_alone = context.parts[0].bodies[0][1] == 1
        return _reports(rows), rows[-1].seen if is_alone else None

    def _row_of(
        self, node: Node, parts: tuple[Part, ...], start: _Context, seen: Window, sources: tuple[str, ...]
    ) -> Row:
        context = (parts, start.counts, sources, seen, start.depth, start.image)
        row = parts[0].row
        # A part's row may be of another place in the list; None is no Row either.
        if not isinstance(row, Row) or row.context != context:
            row = parts[0].row = self._made(node, _Context(*context))
        return row

    def _made(self, node: Node, context: _Context) -> Row:
        parts, counts, sources, seen, depth, image = context
        first = parts[0]
        size = image.height, image.width
        inside, end = self._contents(node, context) if node.children else ([], None)
        beyond = _saturated(end or seen.then(window_of(first)), first.output, size)
        report = LayerReport(
            node,
            depth,
            first.input,
            first.output,
            *_costs(parts, counts),
            _at_most(beyond.field or size, size) if first.output else None,
            beyond,
            _first_problem(node, context),
        )
        if node.is_active:
            sources = (f" from {node.title}",) * len(parts)
        return Row(context, [report, *inside], beyond, sources)


def _reports(rows: Sequence[Row]) -> list[LayerReport]:
    return list(chain.from_iterable(map(_REPORTS, rows)))


def _costs(parts: tuple[Part, ...], counts: tuple[int, ...]) -> tuple[int, int, int]:
    """Parameters, multiply-adds and activations of all copies."""
    parameters = macs = activations = 0
    for part, count in zip(parts, counts, strict=True):
        parameters += part.parameters * count
        macs += part.macs * count
        activations += part.activations * count
    return parameters, macs, activations


def _behind(place: Row | _Context) -> tuple[Window, tuple[str, ...]]:
    """What the next node's row depends on: what is seen, and where its input comes from."""
    return place.seen, place.sources


def _saturated(window: Window, output: Shape | None, size: tuple[int, int]) -> Window:
    """WHOLE, once every value of the output sees the whole image: that then stays so, whatever follows."""
    if window.kernel is None or output is None or not output.is_image:
        return window
    axes = zip(window.start, window.kernel, window.stride, output.dims[1:], size, strict=True)
    for first, kernel, stride, count, pixels in axes:
        if first + kernel < pixels or first + (count - 1) * stride > 0:
            return window
    return WHOLE


def _at_most(field: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    return min(field[0], size[0]), min(field[1], size[1])


def _inside(node: Node, context: _Context) -> tuple[list[Flow], _Context]:
    """The flows through a group's contents, and what holds at their start."""
    last = next((child.title for child in reversed(node.children) if child.is_active), "")
    flows, counts, sources = [], [], []
    for part, count, source in zip(context.parts, context.counts, context.sources, strict=True):
        for number, (flow, times) in enumerate(part.bodies):
            flows.append(flow)
            counts.append(count * times)
            sources.append(f" from {last}" if number else source)
    start = context._replace(parts=(), counts=tuple(counts), sources=tuple(sources), depth=context.depth + 1)
    return flows, start


def _first_problem(node: Node, context: _Context) -> Problem | None:
    copy = 1
    for part, count, source in zip(context.parts, context.counts, context.sources, strict=True):
        error = part.error
        if error is not None:
            subject = node.title if copy == 1 else f"{node.title} (in copy {copy})"
            message = f"{subject} {error.message.replace('{source}', source)}"
            return Problem(node.id, message, part.fixes, error.why)
        copy += count
    return None


def _blame(reports: list[LayerReport], problem: Problem) -> None:
    """Puts the problem into its layer's report, unless there is one already: that comes first."""
    # It is about a layer at the end.
    for index in reversed(range(len(reports))):
        report = reports[index]
        if report.node.id == problem.node_id:
            if report.problem is None:
                reports[index] = report._replace(problem=problem)
            break
