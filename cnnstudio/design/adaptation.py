"""Changes the end of a network, and its input, so that they suit the data."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import format_count, join_words, pluralize
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.analysis.inference import InferenceCache, ShapeInference
from cnnstudio.design.analysis.problems import output_problem
from cnnstudio.design.network import Network, Node
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.design.small_images import enlarge_less, fit_input
from cnnstudio.layers.base import Shape

_MAX_COST = 4
"""Times the multiplications of before: images that would cost more are resized instead."""
_COLORS = {1: "gray", 3: "color"}


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


def fit_to_data(network: Network, classes: int, shape: Shape | None, *, trains_all: bool = False) -> Network:
    """A template as it begins on data with so many classes and images of that shape, C × H × W.

    With one score per class at its end and, if it names pretrained weights, with an input for these images;
    None if they are not known. Where all layers are going to train, small images are enlarged less. Raises
    AdaptationError.
    """
    fitted = fit_input(network, shape)
    return adapt_to_classes(enlarge_less(fitted) if trains_all else fitted, classes)


@dataclass(frozen=True)
class Adaptation:
    """A network that does not suit the data, and the one that does."""

    network: Network
    message: str
    """What differs, as a sentence with its period."""


def adapt_to_data(
    network: Network, title: str, classes: int | None, shape: Shape | None
) -> Adaptation | None:
    """What has to change for the data with that title; None if nothing has to, or nothing can.

    `classes` and `shape`, C × H × W, are those of the data, None where they are unknown. Images of another
    size are resized for training anyway. Their size becomes that of the input only where all layers fit and
    the network does not become several times as slow. Pretrained weights keep the channels and the size of
    their input, unless its first layer can enlarge the images to about that size (`fit_input`).
    """
    before = analyze(network)
    if not network.nodes or before.output is None or before.problems:
        return None
    found, of_data, of_network = network, list[str](), list[str]()
    if shape is not None and shape.is_image:
        is_pretrained = network.weights is not None
        found = fit_input(network, shape) if is_pretrained else _with_input(network, shape, before)
        parts = _describe_images(shape, network.input, found.input)
        if parts is not None:
            of_data.append(f"has {parts[0]}")
            of_network.append(f"takes {parts[1]}")
    ended = _with_classes(found, classes)
    if ended is not None and classes is not None:
        of_data.append(f"{'has ' if not of_data else ''}{format_count(classes)} classes")
        of_network.append(f"gives {pluralize(before.output.features, 'score')}")
        found = ended
    if found == network:
        return None
    return Adaptation(found, f"{title} {join_words(of_data)}; the network {join_words(of_network)}.")


def _with_input(network: Network, shape: Shape, before: Analysis) -> Network:
    """With the channels and, if that costs little, the size of these images."""
    for dims in (shape.dims, (shape.channels, *network.input.dims[1:])):
        changed = network
        if Shape.of(*dims) != network.input:
            try:
                changed = edits.set_input(network, Shape.of(*dims))
            except edits.EditError:
                continue
        after = analyze(changed)
        if not after.problems and after.macs <= _MAX_COST * max(before.macs, 1):
            return changed
    return network


def _with_classes(network: Network, classes: int | None) -> Network | None:
    """With one score per class, if the network has an end that gives another number of them."""
    if classes is None:
        return None
    inferred = ShapeInference(InferenceCache()).infer_sequence(network.nodes, network.input)
    problem = output_problem(network, inferred, classes)
    if inferred.output is None or not inferred.output.is_flat or problem is None:
        return None
    if problem.missing and not _ends_with_scores(network):
        return None  # more layers may follow
    try:
        return adapt_to_classes(network, classes)
    except edits.EditError:
        return None


def _ends_with_scores(network: Network) -> bool:
    """Whether the last layer looks like an output: a Dense layer whose activation the loss applies."""
    active = [node for node in _leaves(network.nodes) if node.is_active]
    return bool(active) and active[-1].layer.type_name() == "Dense" and _activation(active[-1]) == "linear"


def _describe_images(data: Shape, before: Shape, after: Shape) -> tuple[str, str] | None:
    """What the images of the data are and what the network takes, as far as that changes."""
    if before == after:
        return None
    parts = []
    for shape in (data, before):
        color = _COLORS.get(shape.channels, f"{shape.channels}-channel")
        kind = f"{color} images" if before.channels != after.channels else "images"
        size = "" if before.dims[1:] == after.dims[1:] else f" of {shape.dims[2]} × {shape.dims[1]}"
        parts.append(f"{kind}{size}")
    return parts[0], parts[1]


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
