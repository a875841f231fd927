"""The network in the form that code writers need: each layer with its input shape, and the copies in groups.

A group generates its own code, but knows nothing of lines and indentation: it is given the placeholder `BODY`
for its body, and the writers replace the placeholder in the result by the lines of the body.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnstudio.core.errors import UserError
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import Network, Node, without_final_softmax
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError

# Source code cannot contain NUL, so the placeholder never occurs in code by accident.
BODY = "\0body\0"
INDENT = "    "

CodeLine = tuple[str | None, str]
"""(id of the node that the line belongs to, line of code); None for the lines around the network."""


class CodeError(UserError):
    """Code that cannot be read as a network, or a network that cannot be written as code."""


@dataclass(frozen=True)
class Body:
    """The steps inside a group, or inside one of its branches, for one input shape; `count` copies."""

    steps: tuple[Step, ...]
    count: int


@dataclass(frozen=True)
class Step:
    """One enabled layer with its input shape. `problem` says why it has no code; empty if it has."""

    node: Node
    layer: Layer
    shape: Shape
    output: Shape | None
    inner_shapes: tuple[Shape, ...] = ()
    """For a group, the output shape of the last copy of its body, or of each branch; empty if unknown."""
    bodies: tuple[Body, ...] = ()
    problem: str = ""
    is_locked: bool = False
    """Whether the node does not learn, by its own lock or by that of a group around it."""


@dataclass(frozen=True)
class Chain:
    """All enabled layers in order, and the network's output shape, None if unknown."""

    steps: tuple[Step, ...]
    output: Shape | None


def chain(network: Network, analysis: Analysis | None = None, *, logits: bool) -> Chain:
    """The network as steps. With `logits`, the final softmax of a classifier is left out."""
    nodes = without_final_softmax(network.nodes) if logits else network.nodes
    steps, output = _ShapeTracer(analysis or analyze(network)).follow(nodes, network.input)
    return Chain(tuple(steps), output)


def ends_in_softmax(network: Network) -> bool:
    """Whether `chain` with `logits` leaves out a softmax."""
    return without_final_softmax(network.nodes) != network.nodes


def require_valid(network: Network, analysis: Analysis | None = None) -> Analysis:
    """The analysis of the network. Raises CodeError with the first problem, if it has any."""
    analysis = analysis or analyze(network)
    if analysis.problems:
        raise CodeError(
            f"the network cannot be written as a program yet: {analysis.problems[0].full_message}"
        )
    return analysis


def helper_sources(steps: Sequence[Step], helpers_of: Callable[[Layer], tuple[str, ...]]) -> list[str]:
    """The sources of the helpers used by the layers of these steps, including those in groups, each once."""
    found: dict[str, None] = {}
    for step in steps:
        found.update(dict.fromkeys(helpers_of(step.layer)))
        for body in step.bodies:
            found.update(dict.fromkeys(helper_sources(body.steps, helpers_of)))
    return list(found)


class _ShapeTracer:
    """Creates the steps. After a layer with an unknown output, a single step says so instead of the rest."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def follow(self, nodes: Sequence[Node], shape: Shape | None) -> tuple[list[Step], Shape | None]:
        steps: list[Step] = []
        # Code needs each layer's input shape (PyTorch's modules take the number of input channels), so
        # nothing can be written after a layer whose output is unknown. Where an error has a fix, its shape is
        # assumed instead.
        for node in (each for each in nodes if each.is_active):
            if shape is None:
                problem = f"{node.title} and what follows: input shape unknown until the error above is fixed"
                # The shape is a placeholder: a step with a problem has no code.
                steps.append(Step(node, node.layer, Shape.of(1), None, problem=problem))
                break
            is_locked = node.id in self._analysis.network.locked_ids
            steps.append(dataclasses.replace(self._step(node, shape), is_locked=is_locked))
            shape = steps[-1].output
        return steps, shape

    def _step(self, node: Node, shape: Shape) -> Step:
        if isinstance(node.layer, Group):
            return self._group(node, node.layer, shape)
        try:
            return Step(node, node.layer, shape, node.layer.output_shape(shape))
        except ShapeError as error:
            return Step(node, node.layer, shape, error.assumed, problem=self._describe(node, error))

    def _group(self, node: Node, group: Group, shape: Shape) -> Step:
        bodies = (self._branches if group.has_branches else self._bodies)(node, group, shape)
        outputs = [output for _, output in bodies]
        # The last body ends the group: each copy takes the output of the one before. Branches all take the
        # input.
        inside = outputs if group.has_branches else outputs[-1:]
        known = tuple(shape for shape in inside if shape is not None)
        step = Step(node, group, shape, None, bodies=tuple(body for body, _ in bodies))
        if len(known) < len(inside):
            return step
        step = dataclasses.replace(step, inner_shapes=known)
        try:
            return dataclasses.replace(step, output=group.group_output_shape(shape, known))
        except ShapeError as error:
            return dataclasses.replace(step, output=error.assumed, problem=self._describe(node, error))

    def _branches(self, node: Node, group: Group, shape: Shape) -> list[tuple[Body, Shape | None]]:
        """Each branch with its output."""
        followed = [self.follow([child], shape) for child in node.children if child.is_active]
        return [(Body(tuple(steps), 1), output) for steps, output in followed]

    def _bodies(self, node: Node, group: Group, shape: Shape) -> list[tuple[Body, Shape | None]]:
        """The copies of the body with their outputs; those after one that keeps its shape are equal to it."""
        # So a Repeat of a thousand blocks is traced once or twice, not a thousand times. The same rule as in
        # `Assembler._copies`, in the other direction.
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

    def _describe(self, node: Node, error: ShapeError) -> str:
        problem = self._analysis[node.id].problem
        return problem.full_message if problem else f"{node.title} {error.message.replace('{source}', '')}"


def locate_lines(text: str, lines: Sequence[CodeLine]) -> list[CodeLine]:
    """All lines of `text`, with the node ids of `lines`, which it contains at any indentation."""
    file_lines = text.rstrip("\n").split("\n")
    stripped, wanted = [line.strip() for line in file_lines], [line.strip() for _, line in lines]
    # By search and not by counting, so that this does not depend on what a file has before the network. It
    # takes the product of both lengths at worst, but nearly all positions differ in the first line.
    starts = (
        start
        for start in range(len(file_lines) - len(wanted) + 1)
        if all(stripped[start + offset] == line for offset, line in enumerate(wanted))
    )
    first = next(starts, None)
    owners: list[str | None] = [None] * len(file_lines)
    if first is not None:
        owners[first : first + len(lines)] = [owner for owner, _ in lines]
    return list(zip(owners, file_lines, strict=True))
