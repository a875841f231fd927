"""Changes the end of a network so that it gives one score for each class of the data."""

from __future__ import annotations

from cnnstudio.design import edits
from cnnstudio.design.analysis.inference import InferenceCache, ShapeInference
from cnnstudio.design.analysis.problems import output_problem
from cnnstudio.design.network import Network, Node
from cnnstudio.design.quick_fixes import apply_fix


class AdaptationError(edits.EditError):
    """The end of the network cannot be changed without a decision by the user."""


def adapt_to_classes(network: Network, classes: int) -> Network:
    """The network with one score per class at its end. Raises AdaptationError.

    One sigmoid unit at the end becomes a softmax over the classes. Other problems of the network stay.
    """
    network = with_two_classes(network) or network
    inferred = ShapeInference(InferenceCache()).infer_sequence(network.nodes, network.input)
    problem = output_problem(network, inferred, classes)
    if problem is not None:
        return apply_fix(network, problem)
    if inferred.output is None:
        raise AdaptationError("the end of the network is only known once its problems are fixed")
    return network


def with_two_classes(network: Network, *, is_binary: bool = False) -> Network | None:
    """The network with two scores instead of one sigmoid unit at its end; None if it does not end so.

    A softmax over the scores 0 and s gives the second class the probability sigmoid(s), so that nothing is
    lost. `is_binary`: also without a sigmoid, because the loss applies it.
    """
    active = [node for node in _leaves(network.nodes) if node.is_active]
    if active and active[-1].layer.type_name() == "Activation" and _activation(active[-1]) == "sigmoid":
        separate, active, is_binary = active[-1], active[:-1], True
    else:
        separate = None
    if not active or active[-1].layer.type_name() != "Dense" or getattr(active[-1].layer, "units", 0) != 1:
        return None
    last = active[-1]
    if _activation(last) != "sigmoid" and not (is_binary and _activation(last) == "linear"):
        return None
    if separate is not None:
        network = edits.remove(network, [separate.id])
    layer = last.layer.with_values({"units": 2, "activation": "softmax"})
    return edits.replace(network, last.id, layer=layer)


def _activation(node: Node) -> str:
    return str(getattr(node.layer, "activation", "linear"))


def _leaves(nodes: tuple[Node, ...]) -> list[Node]:
    """The layers at the end of the network, also those inside a block, in order."""
    found: list[Node] = []
    for node in nodes:
        found += _leaves(node.children) if node.is_transparent else [node]
    return found
