"""The network as a code writer needs it: each layer with the shape that reaches it, and a group's copies.

The code of a group is asked from the group itself, which knows nothing of lines and indents: it gets `BODY`
in place of its body, and the writers put the body's lines where `BODY` comes back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnstudio.core.errors import UserError
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import Network, Node, giving_logits
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError

BODY = "\0body\0"
INDENT = "    "

CodeLine = tuple[str | None, str]
"""A line of code and the id of the node that it belongs to; None for the frame around the network."""


class CodeError(UserError):
    """A network that cannot be written as code."""


@dataclass(frozen=True)
class Body:
    """What stands in a group, or in a branch of it, for one input shape; `count` copies in a row."""

    steps: tuple[Step, ...]
    count: int


@dataclass(frozen=True)
class Step:
    """One enabled layer and what reaches it. `problem` says why there is no code for it; else it is empty."""

    node: Node
    layer: Layer
    shape: Shape
    output: Shape | None
    inside: tuple[Shape, ...] = ()
    """What comes to a group's end: what the last copy of its body gives, or each branch; empty if unknown."""
    bodies: tuple[Body, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Chain:
    """All enabled layers from top to bottom, and what the network gives; None where that is not known."""

    steps: tuple[Step, ...]
    output: Shape | None


def chain(network: Network, analysis: Analysis | None = None, *, logits: bool) -> Chain:
    """Follows the shape through the network. With `logits` the classifier's final softmax is left out."""
    nodes = giving_logits(network.nodes) if logits else network.nodes
    steps, output = _Follower(analysis or analyze(network)).follow(nodes, network.input)
    return Chain(tuple(steps), output)


def ends_in_softmax(network: Network) -> bool:
    """Whether `chain` with logits leaves a softmax out."""
    return giving_logits(network.nodes) != network.nodes


def require_whole(network: Network, analysis: Analysis | None = None) -> Analysis:
    """The analysis of a network that has no problems. Raises CodeError with the first one."""
    analysis = analysis or analyze(network)
    if analysis.problems:
        raise CodeError(f"the network cannot be written as a program yet: {analysis.problems[0].sentence}")
    return analysis


def helper_sources(steps: Sequence[Step], ask: Callable[[Layer], tuple[str, ...]]) -> list[str]:
    """What the layers of these steps, and of the groups among them, name in their code: each source once."""
    found: dict[str, None] = {}
    for step in steps:
        found.update(dict.fromkeys(ask(step.layer)))
        for body in step.bodies:
            found.update(dict.fromkeys(helper_sources(body.steps, ask)))
    return list(found)


class _Follower:
    """Makes the steps. What follows a layer without a known output is one step that says so."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def follow(self, nodes: Sequence[Node], shape: Shape | None) -> tuple[list[Step], Shape | None]:
        steps: list[Step] = []
        for node in (each for each in nodes if each.is_active):
            if shape is None:
                problem = f"{node.title} and what follows: fix the mistake above, the input is not known"
                steps.append(Step(node, node.layer, Shape.of(1), None, problem=problem))
                break
            steps.append(self._step(node, shape))
            shape = steps[-1].output
        return steps, shape

    def _step(self, node: Node, shape: Shape) -> Step:
        if isinstance(node.layer, Group):
            return self._group(node, node.layer, shape)
        try:
            return Step(node, node.layer, shape, node.layer.output_shape(shape))
        except ShapeError as error:
            return Step(node, node.layer, shape, error.assumed, problem=self._sentence(node, error))

    def _group(self, node: Node, group: Group, shape: Shape) -> Step:
        bodies = (self._branches if group.branches else self._bodies)(node, group, shape)
        outputs = [output for _, output in bodies]
        inside = outputs if group.branches else outputs[-1:]
        known = tuple(shape for shape in inside if shape is not None)
        step = Step(node, group, shape, None, bodies=tuple(body for body, _ in bodies))
        if len(known) < len(inside):
            return step
        step = dataclasses.replace(step, inside=known)
        try:
            return dataclasses.replace(step, output=group.join(shape, known))
        except ShapeError as error:
            return dataclasses.replace(step, output=error.assumed, problem=self._sentence(node, error))

    def _branches(self, node: Node, group: Group, shape: Shape) -> list[tuple[Body, Shape | None]]:
        """Each branch with its output."""
        followed = [self.follow([child], shape) for child in node.children if child.is_active]
        return [(Body(tuple(steps), 1), output) for steps, output in followed]

    def _bodies(self, node: Node, group: Group, shape: Shape) -> list[tuple[Body, Shape | None]]:
        """The copies of the body, each with its output. After one that keeps its shape, all are like it."""
        bodies: list[tuple[Body, Shape | None]] = []
        taken: Shape | None = shape
        left = group.copies()
        while left:
            steps, output = self.follow(node.children, taken)
            count = left if output in (taken, None) else 1
            bodies.append((Body(tuple(steps), count), output))
            taken = output
            left -= count
        return bodies

    def _sentence(self, node: Node, error: ShapeError) -> str:
        problem = self._analysis[node.id].problem
        return problem.sentence if problem else f"{node.title} {error.message.replace('{source}', '')}"


def located(text: str, lines: Sequence[CodeLine]) -> list[CodeLine]:
    """The lines of a file in which `lines` stand in a row, indented or not, each with the id of its node."""
    rows = text.rstrip("\n").split("\n")
    bare, wanted = [row.strip() for row in rows], [line.strip() for _, line in lines]
    starts = (
        start
        for start in range(len(rows) - len(wanted) + 1)
        if all(bare[start + place] == line for place, line in enumerate(wanted))
    )
    first = next(starts, None)
    owners: list[str | None] = [None] * len(rows)
    if first is not None:
        owners[first : first + len(lines)] = [owner for owner, _ in lines]
    return list(zip(owners, rows, strict=True))
