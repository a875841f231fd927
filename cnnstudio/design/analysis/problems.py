"""What stops a network from training and what could be better, in words; and what would fix it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstudio.design.analysis.inference import (
    MAXIMUM_LAYERS,
    MAXIMUM_PARAMETERS,
    NO_MEMORY,
    Flow,
    Part,
    too_many,
)
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Append, Fix, Shape, ShapeError

_ONE_A_CLASS = "Training compares one score for each class with the class that is right."


def of_the_whole(flow: Flow) -> Iterator[Problem]:
    """What no single layer is to blame for."""
    if flow.layers == 0:
        words = "The network has no layers yet: drag some in from the palette, or open a template"
        yield Problem(None, words, why="Without layers there is nothing that could learn.")
    if flow.layers > MAXIMUM_LAYERS:
        yield Problem(
            None,
            f"The network would have {flow.layers:,} layers, all copies counted; "
            f"at most {MAXIMUM_LAYERS:,} are possible",
            why="Each copy has weights and a place in memory of its own.",
        )
    if flow.parameters > MAXIMUM_PARAMETERS:
        yield Problem(None, f"The network would have {too_many(flow.parameters)}", why=NO_MEMORY)


def of_the_ending(network: Network, flow: Flow, classes: int | None) -> Problem | None:
    """What keeps the network's output from being one learned score a class."""
    last = next((node for node in reversed(network.nodes) if node.is_active), None)
    if last is None or flow.output is None:
        return None
    dense = ("Dense", {"units": classes or 10})
    if not flow.output.is_flat:
        message = f"The network ends with {flow.output} from {last.title}, but class scores are a flat vector"
        fixes = (Append((("Flatten", {}), dense)), Append((("GlobalAveragePooling2D", {}), dense)))
        return Problem(last.id, message, fixes, _ONE_A_CLASS)
    if classes is None:
        return None
    if flow.output.features != classes:
        message = f"{last.title} gives {flow.output} scores, but the data has {classes} classes"
        decisive = _decisive(network.nodes, flow.parts, classes)
        if decisive is not None:
            return Problem(decisive[0].id, message, (decisive[1],), _ONE_A_CLASS)
        return Problem(last.id, message, (Append((dense,)),), _ONE_A_CLASS)
    if flow.parameters == 0:
        why = "Training changes weights, so that the answers get better; without any, nothing can change."
        return Problem(last.id, "The network has no weights that could learn", (Append((dense,)),), why)
    return None


def _decisive(nodes: Sequence[Node], parts: Sequence[Part], classes: int) -> tuple[Node, Fix] | None:
    """The last layer that decides how many scores there are, and how to tell it, if it can be told."""
    scores = Shape.of(classes)
    for node, part in zip(reversed(nodes), reversed(parts), strict=True):
        if not node.is_active:
            continue
        if node.is_transparent:
            found = _decisive(node.children, part.bodies[0][0].parts, classes)
            if found is not None or any(child.is_active for child in node.children):
                return found
            continue
        fix = node.layer.giving(classes)
        if fix is not None:
            return node, fix
        if node.is_group or part.input is None or not part.input.is_flat or not _passes_on(node, scores):
            break
    return None


def _passes_on(node: Node, scores: Shape) -> bool:
    try:
        return node.layer.output_shape(scores) == scores
    except ShapeError:
        return False
