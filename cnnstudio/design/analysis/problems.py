"""Problems of the network as a whole and of its output. Those of single layers are their ShapeErrors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.analysis.inference import (
    MAXIMUM_LAYERS,
    MAXIMUM_PARAMETERS,
    OUT_OF_MEMORY_REASON,
    NodeShape,
    SequenceShape,
    describe_excess_parameters,
)
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network, Node, without_final_softmax
from cnnstudio.layers.base import Append, Fix, Shape, ShapeError, Unlock

_ONE_SCORE_PER_CLASS = "Training compares one score per class with the correct class."


def network_problems(inferred: SequenceShape) -> Iterator[Problem]:
    """Problems that no single layer causes."""
    if inferred.layer_count == 0:
        message = "The network has no layers yet: drag some in from the palette, or open a template"
        yield Problem(None, message, why="Without layers there is nothing to train.", missing="layers")
    if inferred.layer_count > MAXIMUM_LAYERS:
        yield Problem(
            None,
            f"The network would have {inferred.layer_count:,} layers, counting all copies; "
            f"the limit is {MAXIMUM_LAYERS:,}",
            why="Each copy has its own weights and takes its own memory.",
        )
    if inferred.parameters > MAXIMUM_PARAMETERS:
        message = f"The network would have {describe_excess_parameters(inferred.parameters)}"
        yield Problem(None, message, why=OUT_OF_MEMORY_REASON)


def output_problem(network: Network, inferred: SequenceShape, classes: int | None) -> Problem | None:
    """What keeps the network's output from being one learned score per class, or None.

    `classes` is the number of classes in the data; None if it is unknown.
    """
    last = next((node for node in reversed(network.nodes) if node.is_active), None)
    if last is None or inferred.output is None:
        return None
    dense = ("Dense", {"units": classes or 10})
    missing = f"Dense with {f'{classes:,} units' if classes else 'one unit per class'}"
    if not inferred.output.is_flat:
        message = (
            f"The network ends with {inferred.output} from {last.title}, but class scores are a flat vector"
        )
        fixes = (Append((("Flatten", {}), dense)), Append((("GlobalAveragePooling2D", {}), dense)))
        return Problem(last.id, message, fixes, _ONE_SCORE_PER_CLASS, missing)
    if classes is None:
        return None
    if inferred.output.features != classes:
        scores = pluralize(inferred.output.features, "score")
        message = f"{last.title} outputs {scores}, but the data has {classes} classes"
        found = _find_output_layer(network.nodes, inferred.nodes, classes)
        # What softmax turns into probabilities is meant to be the end; otherwise layers may still follow.
        is_end = without_final_softmax(network.nodes) != network.nodes
        node, own_fixes = (last, ()) if found is None else (found[0], (found[1],))
        appended = (Append((dense,)),) if found is None or not is_end else ()
        missing = "" if is_end else missing
        return Problem(node.id, message, (*own_fixes, *appended), _ONE_SCORE_PER_CLASS, missing)
    if inferred.parameters == 0:
        why = "Training improves the predictions by changing weights, and this network has none."
        return Problem(last.id, "The network has no trainable weights", (Append((dense,)),), why)
    return None


def locked_problem(network: Network, inferred: SequenceShape) -> Problem | None:
    """What keeps a network with weights from learning: all of them are locked. None if some are not."""
    last = _last_with_weights(network.nodes, inferred.nodes)
    if last is None or _learns(network.nodes, inferred.nodes):
        return None
    message = f"No layer can learn, because all of them are locked; {last.title} is the last one with weights"
    return Problem(last.id, message, (Unlock(),), "Training changes the weights of unlocked layers only.")


def _learns(nodes: Sequence[Node], results: Sequence[NodeShape]) -> bool:
    """Whether any of these has a parameter that is not locked, if the group around them is not."""
    for node, result in zip(nodes, results, strict=True):
        if not node.is_active or not node.trainable or not result.parameters:
            continue
        inside = sum(body.parameters * count for body, count in result.bodies)
        # All copies in a Repeat are locked alike, so the first one tells whether any of them learns.
        if result.parameters > inside or _learns(node.children, result.bodies[0][0].nodes):
            return True
    return False


def _last_with_weights(nodes: Sequence[Node], results: Sequence[NodeShape]) -> Node | None:
    for node, result in zip(reversed(nodes), reversed(results), strict=True):
        if node.is_active and result.parameters:
            inner = _last_with_weights(node.children, result.bodies[0][0].nodes) if result.bodies else None
            return inner or node
    return None


def _find_output_layer(
    nodes: Sequence[Node], results: Sequence[NodeShape], classes: int
) -> tuple[Node, Fix] | None:
    """The layer that determines the number of scores, with the fix that sets it; None if it has no such fix.

    Searched backwards through layers that would pass `classes` scores on unchanged, such as activations.
    """
    scores = Shape.of(classes)
    for node, result in zip(reversed(nodes), reversed(results), strict=True):
        if not node.is_active:
            continue
        if node.is_transparent:
            found = _find_output_layer(node.children, result.bodies[0][0].nodes, classes)
            if found is not None or any(child.is_active for child in node.children):
                return found
            continue
        fix = node.layer.fix_output_features(classes)
        if fix is not None:
            return node, fix
        if node.is_group or result.input is None or not result.input.is_flat or not _keeps(node, scores):
            break
    return None


def _keeps(node: Node, shape: Shape) -> bool:
    try:
        return node.layer.output_shape(shape) == shape
    except ShapeError:
        return False
