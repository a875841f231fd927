"""Nodes that add, multiply or concatenate: constants per channel, branches, and squeeze-and-excitation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.onnx.arrays import Array, constant
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.merging import merged_steps
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.operators.images import as_vector, per_channel, settled
from cnnstudio.interchange.onnx.values import Affine, AnyStep, Features, Step, make, step_of
from cnnstudio.interchange.onnx.views import View, channel_axis, is_plain_order, layout, ordered, plain
from cnnstudio.layers.base import Shape


def _affine(node: Node, features: Features, array: Array, kind: str, *, is_first: bool) -> Features:
    """The features with a constant added, subtracted, multiplied or divided; `is_first`: constant - x."""
    features, vector = per_channel(features, array)
    one = vector.dtype.type(1)
    scale: Array | None = None
    shift: Array | None = None
    if kind == "Add":
        shift = vector
    elif kind == "Sub" and is_first:
        scale, shift = constant(np.array(-1, np.float32)), vector
    elif kind == "Sub":
        shift = vector.then(np.negative)
    elif kind == "Mul":
        scale = vector
    elif is_first:
        raise NotExpressibleError("divides a constant by the features")
    else:
        scale = vector.then(lambda value: one / value)
    return features.then(Affine(scale, shift))


def _binary(node: Node) -> Features:
    kind = node.operation.kind
    left, right = node.value(0), node.value(1)
    if isinstance(left, Features) and isinstance(right, Array):
        return _affine(node, left, right, kind, is_first=False)
    if isinstance(left, Array) and isinstance(right, Features):
        return _affine(node, right, left, kind, is_first=True)
    first, second = node.features(0), node.features(1)
    if kind == "Add":
        return _sum(node, [first, second])
    if kind == "Mul":
        return _excited(node, first, second) or _excited(node, second, first) or _no_product()
    raise NotExpressibleError("computes with two feature maps in a way that no layer here does")


def _no_product() -> Features:
    raise NotExpressibleError("multiplies two feature maps in a way that no layer here does")


def _sum(node: Node, parts: Sequence[Features]) -> Features:
    first = parts[0]
    if any((part.shape, part.view) != (first.shape, first.view) for part in parts):
        raise NotExpressibleError("adds feature maps of different shapes")
    tensor = SymbolicTensor(tuple(part.tensor for part in parts), (), "add")
    result = Features(tensor, first.shape, first.view)
    return result.nonnegative(all(part.is_nonnegative for part in parts))


def _sum_of_many(node: Node) -> Features:
    if node.count == 1:
        return node.features(0)
    return _sum(node, [node.features(index) for index in range(node.count)])


# Concatenation


def _concat(node: Node) -> Features:
    parts = [settled(node.features(index)) for index in range(node.count)]
    if len(parts) == 1:
        return parts[0]
    rank = len(parts[0].view) + 1
    axis = node.integer("axis", 1) % rank - 1
    if any(len(part.view) != rank - 1 for part in parts):
        raise NotExpressibleError("concatenates arrays of different ranks")
    if rank == 2:
        parts = [as_vector(part) for part in parts]
    if any(channel_axis(part.view, part.shape) != axis or not _is_usual(part) for part in parts):
        raise NotExpressibleError("concatenates along another axis than the channels")
    first = parts[0]
    sizes = {(part.shape.dims[1:], layout(part.view, part.shape)) for part in parts}
    if len(sizes) > 1:
        raise NotExpressibleError("concatenates images of different sizes")
    shape = Shape.of(sum(part.shape.channels for part in parts), *first.shape.dims[1:])
    view: View
    if shape.is_image:
        view = ordered(shape, layout(first.view, first.shape))
    else:
        channels = plain(shape)[0]
        view = tuple(channels if place == axis else () for place in range(rank - 1))
    tensor = _joined(node, tuple(part.tensor for part in parts))
    return Features(tensor, shape, view).nonnegative(all(part.is_nonnegative for part in parts))


def _is_usual(part: Features) -> bool:
    return bool(layout(part.view, part.shape)) if part.shape.is_image else is_plain_order(part.view)


def _joined(node: Node, tensors: tuple[SymbolicTensor, ...]) -> SymbolicTensor:
    """The concatenation; if it starts with all parts of an earlier one, that one and the rest.

    A DenseNet concatenates what all layers before have given, again at each layer.
    """
    known = node.context.joined
    key = tuple(map(id, tensors))
    for length in range(len(key) - 1, 1, -1):
        if key[:length] in known:
            tensors = (known[key[:length]], *tensors[length:])
            break
    found = known.get(key) or SymbolicTensor(tensors, (), "concat")
    known[key] = found
    return found


# Squeeze and excitation


def _excited(node: Node, features: Features, factors: Features) -> Features | None:
    """The features after a SqueezeExcite, if the factors are computed from their means; else None."""
    if not features.shape.is_image or factors.shape != Shape.of(features.shape.channels):
        return None
    place = channel_axis(features.view, features.shape)
    if place is None or len(factors.view) != len(features.view):
        return None
    if channel_axis(factors.view, factors.shape) != place:
        return None
    steps = merged_steps(_steps_between(features.tensor, factors.tensor), features.shape)
    steps = [*steps[:2], *_with_gate(steps[2:])]
    layers = [step.layer.type_name() for step in steps if isinstance(step, Step)]
    if layers != ["GlobalAveragePooling2D", "Dense", "Dense"] or len(steps) != 3:
        return None
    _, squeeze, excite = (step for step in steps if isinstance(step, Step))
    gate = getattr(excite.layer, "activation", "")
    channels, hidden = features.shape.channels, int(getattr(squeeze.layer, "units", 0))
    # The ratio of the layer leads to as many hidden units, or else to a few more.
    ratio = channels // hidden
    if gate not in ("sigmoid", "hard_sigmoid") or ratio < 1:
        return None
    name = getattr(squeeze.layer, "activation", "linear")
    extra = channels // ratio - hidden
    if extra and name not in _ZERO_AT_ZERO:
        return None
    layer = make("SqueezeExcite", ratio=ratio, activation=name, gate=gate)
    weights = {
        "squeeze.weight": _widened(squeeze.weights["weight"], extra, 0),
        "squeeze.bias": _widened(_bias(squeeze), extra, 0),
        "excite.weight": _widened(excite.weights["weight"], extra, 1),
        "excite.bias": _bias(excite),
    }
    note = "; ".join(step.note for step in (squeeze, excite) if step.note)
    remark = (
        f"{node.operation.label} has {hidden} hidden units; SqueezeExcite has {hidden + extra}, of which "
        f"{extra} never give anything but 0"
        if extra
        else ""
    )
    step = Step(layer, weights, note, remark)
    return features.then(step).nonnegative(features.is_nonnegative)


def _with_gate(steps: Sequence[AnyStep]) -> Sequence[AnyStep]:
    """The last dense layer, with relu6(x + 3) / 6 after it, which spells the hard sigmoid out, as that."""
    if len(steps) != 2 or not all(isinstance(step, Step) for step in steps):
        return steps
    dense, scale = (step for step in steps if isinstance(step, Step))
    is_sixth = math.isclose(getattr(scale.layer, "factor", 0.0), 1 / 6, rel_tol=1e-5)
    if not is_sixth or getattr(dense.layer, "activation", "") != "relu6" or dense.note or scale.note:
        return steps
    three = np.float32(3)
    weights = {**dense.weights, "bias": _bias(dense).then(lambda value: value - three)}
    layer = dense.layer.with_values({"activation": "hard_sigmoid", "use_bias": True})
    return [replace(dense, layer=layer, weights=weights)]


_ZERO_AT_ZERO = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "silu", "hard_silu", "gelu"}
)
"""Activations under which a unit without weights gives 0, and no gradient either."""


def _bias(step: Step) -> Array:
    units = int(getattr(step.layer, "units", 1))
    return step.weights.get("bias") or constant(np.zeros(units, np.float32))


def _widened(array: Array, extra: int, axis: int) -> Array:
    """The weights with so many rows or columns of zeros more."""
    if not extra:
        return array
    added = [(0, extra if place == axis else 0) for place in range(len(array.dims))]
    sizes = [size + more for size, (_, more) in zip(array.dims, added, strict=True)]
    return array.then(lambda value: np.pad(value, added), sizes)


def _steps_between(start: SymbolicTensor, end: SymbolicTensor) -> list[AnyStep]:
    """The steps from one tensor to another, empty if that is no simple sequence."""
    found: list[AnyStep] = []
    tensor = end
    while tensor is not start:
        if len(tensor.inputs) != 1 or len(found) > 16:
            return []
        found += [step_of(item.call) for item in reversed(tensor.items) if isinstance(item, LayerCall)]
        tensor = tensor.inputs[0]
    return found[::-1]


JOINS: Mapping[str, Handler] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _binary),
    "Sum": _sum_of_many,
    "Concat": _concat,
}
