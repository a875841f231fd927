"""Analysis of a network: a report for each layer with shapes, cost, receptive field and problem, and totals.

Two steps, each cached from one analysis to the next. Shape inference (inference.py) yields results that do
not depend on where in the network a node is. From these the reports are made, which do: a report states the
depth, the receptive field in the input image and where the input comes from. What a report depends on
besides its own result is its `_Context`. A row of reports is reused if its context is the same, so an edit
re-makes only the rows that it changed, and those after it that now see more or less of the image.
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
    SINGLE_PIXEL,
    InferenceCache,
    ListKey,
    NodeShape,
    SequenceShape,
    ShapeInference,
    common_ends,
    receptive_field_of,
)
from cnnstudio.design.analysis.problems import locked_problem, network_problems, output_problem
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import WHOLE_IMAGE, ReceptiveField, Shape

__all__ = [
    "MAXIMUM_LAYERS",
    "MAXIMUM_OUTPUT",
    "MAXIMUM_PARAMETERS",
    "Analysis",
    "LayerReport",
    "analyze",
]

_REPORTS = operator.attrgetter("reports")

# The cache is dropped when it holds more results than this per report, plus a constant for small networks.
_CACHED_PER_REPORT = 8
_CACHED_AT_LEAST = 8192


class LayerReport(NamedTuple):
    """The report of one node. Inside a Repeat: the costs of all copies together, the shapes of the first."""

    # A NamedTuple because it is several times cheaper to create than a frozen dataclass, and opening a design
    # or editing an early layer creates one per layer before the window can be drawn.

    node: Node
    depth: int
    """The number of groups around the node."""
    input: Shape | None
    """The output of the layer before it; for a branch, the input of its group. None if that is unknown."""
    output: Shape | None
    """None if the output of this layer, or of one before it, is unknown because of an error."""
    parameters: int
    macs: int
    activations: int
    """Values per image kept until the backward pass; for a group, including those of its contents."""
    receptive_field_size: tuple[int, int] | None
    """Height × width in input pixels that one output value sees, at most the whole image; None if unknown."""
    receptive_field: ReceptiveField
    """The position of these pixels. Meaningful only if `receptive_field_size` is not None."""
    problem: Problem | None
    has_known_costs: bool
    """Whether parameters, macs and activations are exact. If not, they are those of the known layers.

    After an error they are unknown in the layer itself, in those after it, and in the groups around it.
    """

    @property
    def has_known_output(self) -> bool:
        """Whether `output` is what the layer really outputs, not what it would output without its error.

        A problem of the network's output is also the last layer's problem, but leaves its shape as it is.
        """
        return self.output is not None and (self.problem is None or self.has_known_costs)


class _Context(NamedTuple):
    """Everything that the reports of a node and of its contents depend on, besides the node itself."""

    results: tuple[NodeShape, ...]
    """The inference results of the node, one per run of equal copies of the groups around it."""
    counts: tuple[int, ...]
    """The number of copies in each run."""
    sources: tuple[str, ...]
    """Where the input comes from in each run: ` from MaxPooling2D`."""
    receptive_field: ReceptiveField
    """What one input value sees of the image."""
    depth: int
    image: Shape


@dataclass(slots=True, eq=False)
class _Row:
    """The reports of a node and of its contents, and what the next node's context takes from it."""

    context: _Context
    reports: list[LayerReport]
    receptive_field: ReceptiveField
    sources: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _CachedRows:
    """The rows that a list of nodes had last time, with the results and start they were made from."""

    start: _Context
    results: tuple[NodeShape, ...]
    rows: list[_Row]


@dataclass(slots=True, eq=False)
class _AnalysisCache:
    """Passed from one analysis to the next."""

    inference: InferenceCache = field(default_factory=InferenceCache)
    rows: dict[ListKey, _CachedRows] = field(default_factory=dict)
    """Without it every edit would take several times as long."""


@dataclass(frozen=True)
class Analysis:
    """The reports of all nodes, in the order of the list, and the totals of the active ones."""

    network: Network
    reports: tuple[LayerReport, ...]
    output: Shape | None
    parameters: int
    macs: int
    activations: int
    has_known_costs: bool
    """Whether the totals are exact; if not, they are those of the layers that are known."""
    problems: tuple[Problem, ...]
    _cache: _AnalysisCache = field(repr=False, compare=False, default_factory=_AnalysisCache)

    @cached_property
    def trainable_parameters(self) -> int:
        """The parameters that training changes: those of layers that are not locked, alone or by a group."""
        return self.parameters - sum(
            self[node.id].parameters for node in self.network.walk() if self._is_outermost_lock(node)
        )

    def trainable_parameters_of(self, node: Node) -> int:
        """The same for one node of the network; for a group, with everything inside it."""
        if node.id in self.network.locked_ids:
            return 0
        locked = (each for each in node.walk() if self._is_outermost_lock(each))
        return self[node.id].parameters - sum(self[each.id].parameters for each in locked)

    def _is_outermost_lock(self, node: Node) -> bool:
        if node.trainable:
            return False
        parent = self.network.place(node.id).parent
        return parent is None or parent not in self.network.locked_ids

    @cached_property
    def by_id(self) -> Mapping[str, LayerReport]:
        return {report.node.id: report for report in self.reports}

    def __getitem__(self, node_id: str) -> LayerReport:
        return self.by_id[node_id]


def analyze(network: Network, previous: Analysis | None = None, *, classes: int | None = None) -> Analysis:
    """Infers shapes and costs and finds problems. `classes` is the number of classes in the data, if known.

    `previous` is an earlier analysis, of this or another network, whose results are reused where they still
    apply. The two share a mutable cache, so do not pass the same one from several threads at once.
    """
    cache = previous._cache if previous else _AnalysisCache()
    if previous and len(cache.inference) > _CACHED_PER_REPORT * len(previous.reports) + _CACHED_AT_LEAST:
        cache = _AnalysisCache()
    inferred = ShapeInference(cache.inference).infer_sequence(network.nodes, network.input)
    start = _Context((), (1,), (" from the input",), SINGLE_PIXEL, 0, network.input)
    rows = _ReportBuilder(cache.rows).sequence_rows(None, network.nodes, inferred, start)
    reports = _reports(rows)
    problem = output_problem(network, inferred, classes)
    if problem is None and network.locked_ids and inferred.output is not None:
        problem = locked_problem(network, inferred)
    if problem is not None:
        _attach_problem(reports, problem)
    problems = [report.problem for report in reports if report.problem]
    problems += network_problems(inferred)
    return Analysis(
        network,
        tuple(reports),
        inferred.output,
        inferred.parameters,
        inferred.macs,
        inferred.activations,
        not inferred.unknown,
        tuple(problems),
        cache,
    )


class _ReportBuilder:
    """Makes the rows of reports, reusing those whose context has not changed."""

    def __init__(self, cache: dict[ListKey, _CachedRows]) -> None:
        self._cache = cache

    def sequence_rows(
        self, key: ListKey, nodes: tuple[Node, ...], inferred: SequenceShape, start: _Context
    ) -> list[_Row]:
        """The rows of a list of nodes that run in sequence, with one inference result each.

        Works like `infer_sequence`: reuses the rows before the first changed result, and those after the last
        one from the row on that sees the same and has the same source as before.
        """
        old = self._cache.get(key)
        if old is None or old.start != start:
            old = _CachedRows(start, (), [])
        head, tail = common_ends(inferred.nodes, old.results)
        rows = old.rows[:head]
        for index in range(head, len(nodes)):
            state = _state_after(rows[-1] if rows else start)
            if index >= len(nodes) - tail:
                old_index = index - len(nodes) + len(old.rows)
                if state == _state_after(old.rows[old_index - 1] if old_index else start):
                    rows += old.rows[old_index:]
                    break
            rows.append(self._row(nodes[index], (inferred.nodes[index],), start, *state))
        self._cache[key] = _CachedRows(start, inferred.nodes, rows)
        return rows

    def _other_reports(
        self, group: Node, bodies: Sequence[SequenceShape], start: _Context
    ) -> list[LayerReport]:
        """The reports of nodes that are branches, or that have several results because copies differ."""
        reports: list[LayerReport] = []
        state = _state_after(start)
        results_of_nodes = zip(*(body.nodes for body in bodies), strict=True)
        for node, results in zip(group.children, results_of_nodes, strict=True):
            row = self._row(node, results, start, *state)
            reports += row.reports
            state = state if group.has_branches else _state_after(row)
        return reports

    def _contents(self, node: Node, context: _Context) -> tuple[list[LayerReport], ReceptiveField | None]:
        """The reports of a group's contents; and the receptive field at their end if it is the group's."""
        bodies, start = _inner_context(node, context)
        if len(bodies) > 1 or node.has_branches:
            return self._other_reports(node, bodies, start), None
        rows = self.sequence_rows(node.id, node.children, bodies[0], start)
        is_single = context.results[0].bodies[0][1] == 1
        return _reports(rows), rows[-1].receptive_field if is_single else None

    def _row(
        self,
        node: Node,
        results: tuple[NodeShape, ...],
        start: _Context,
        receptive_field: ReceptiveField,
        sources: tuple[str, ...],
    ) -> _Row:
        context = (results, start.counts, sources, receptive_field, start.depth, start.image)
        # The row kept in the result may belong to another place: the node may have moved or been copied.
        row = results[0].row
        if not isinstance(row, _Row) or row.context != context:
            row = results[0].row = self._make_row(node, _Context(*context))
        return row

    def _make_row(self, node: Node, context: _Context) -> _Row:
        results, counts, sources, before, depth, image = context
        first = results[0]
        size = image.height, image.width
        inside, end = self._contents(node, context) if node.children else ([], None)
        after = _saturated(end or before.then(receptive_field_of(first)), first.output, size)
        report = LayerReport(
            node,
            depth,
            first.input,
            first.output,
            *_costs(results, counts),
            _at_most(after.pixel_size or size, size) if first.output else None,
            after,
            _first_problem(node, context),
            not any(found.unknown for found in results),
        )
        if node.is_active:
            sources = (f" from {node.title}",) * len(results)
        return _Row(context, [report, *inside], after, sources)


def _reports(rows: Sequence[_Row]) -> list[LayerReport]:
    return list(chain.from_iterable(map(_REPORTS, rows)))


def _costs(results: tuple[NodeShape, ...], counts: tuple[int, ...]) -> tuple[int, int, int]:
    """Parameters, MACs and activations of all copies."""
    parameters = macs = activations = 0
    for found, count in zip(results, counts, strict=True):
        parameters += found.parameters * count
        macs += found.macs * count
        activations += found.activations * count
    return parameters, macs, activations


def _state_after(before: _Row | _Context) -> tuple[ReceptiveField, tuple[str, ...]]:
    """What the row of the next node depends on: the receptive field, and the source of its input."""
    return before.receptive_field, before.sources


def _saturated(
    receptive_field: ReceptiveField, output: Shape | None, size: tuple[int, int]
) -> ReceptiveField:
    """WHOLE_IMAGE as soon as every output value sees the whole image, which no later layer can change.

    That makes all rows deep in a network equal in this respect, so an edit there does not re-make them all.
    """
    if receptive_field.size is None or output is None or not output.is_image:
        return receptive_field
    axes = zip(
        receptive_field.start,
        receptive_field.size,
        receptive_field.stride,
        output.dims[1:],
        size,
        strict=True,
    )
    for first, extent, stride, count, pixels in axes:
        if first + extent < pixels or first + (count - 1) * stride > 0:
            return receptive_field
    return WHOLE_IMAGE


def _at_most(field: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    return min(field[0], size[0]), min(field[1], size[1])


def _inner_context(node: Node, context: _Context) -> tuple[list[SequenceShape], _Context]:
    """The results for a group's body, one per run of equal copies, and the context at its start."""
    last = next((child.title for child in reversed(node.children) if child.is_active), "")
    bodies, counts, sources = [], [], []
    for found, count, source in zip(context.results, context.counts, context.sources, strict=True):
        for number, (body, times) in enumerate(found.bodies):
            bodies.append(body)
            counts.append(count * times)
            # The first copy gets the group's input, every later one the output of the copy before it.
            sources.append(f" from {last}" if number else source)
    start = context._replace(
        results=(), counts=tuple(counts), sources=tuple(sources), depth=context.depth + 1
    )
    return bodies, start


def _first_problem(node: Node, context: _Context) -> Problem | None:
    copy = 1
    for found, count, source in zip(context.results, context.counts, context.sources, strict=True):
        error = found.error
        if error is not None:
            subject = node.title if copy == 1 else f"{node.title} (in copy {copy})"
            message = f"{subject} {error.message.replace('{source}', source)}"
            return Problem(node.id, message, found.fixes, error.why)
        copy += count
    return None


def _attach_problem(reports: list[LayerReport], problem: Problem) -> None:
    """Puts the problem into its layer's report, unless that already has one, which then comes first."""
    # Searched from the end, because the problem is about the network's output.
    for index in reversed(range(len(reports))):
        report = reports[index]
        if report.node.id == problem.node_id:
            if report.problem is None:
                reports[index] = report._replace(problem=problem)
            break
