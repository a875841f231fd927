"""Nodes that apply a function to each value, and those that spell out one in several steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cnnstudio.interchange.onnx.arrays import Array, scalar
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.pointwise import BINARY, UNARY, Function, Functions, recognize
from cnnstudio.interchange.onnx.values import Features, Omitted, Step, make
from cnnstudio.interchange.onnx.views import channel_axis, dims

_NONNEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "softmax"})
_SIMPLE: Mapping[str, str] = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Mish": "mish",
    "HardSwish": "hard_silu",
}
_CLOSEST: Mapping[str, str] = {"Softsign": "tanh", "Celu": "elu", "ThresholdedRelu": "relu"}


def activation(node: Node, features: Features, name: str, note: str = "") -> Features:
    """The features after an activation; `note` says how it differs from the node."""
    note = f"{node.operation.label} {note}" if note else ""
    step = Step(make("Activation", activation=name), note=note)
    return features.then(step).nonnegative(name in _NONNEGATIVE)


def _closest(node: Node, name: str) -> Features:
    return activation(
        node, node.features(0), name, f"is not supported; the closest activation, {name}, is used instead"
    )


def omitted(node: Node, why: str) -> Features:
    """The features, with a note that the node is left out."""
    features = node.features(0)
    return features.then(Omitted(f"{node.operation.label} {why}; it is left out"))


def _clip(node: Node) -> Features:
    low, high = _bounds(node)
    if low == 0 and high == 6:
        return activation(node, node.features(0), "relu6")
    if low == 0 and high >= 1e30:
        return activation(node, node.features(0), "relu")
    if low <= -1e30 and high >= 1e30:
        return node.features(0)
    if low == 0:
        return _closest(node, "relu6")
    return omitted(node, f"limits values to {low:g} to {high:g}, which no layer here does")


def _bounds(node: Node) -> tuple[float, float]:
    """The least and the greatest value of a Clip: inputs since version 11, attributes before."""
    low, high = node.number("min", -math.inf), node.number("max", math.inf)
    given = [None if array is None else scalar(array) for array in (*node.arrays(), None, None)[1:3]]
    return (low if given[0] is None else given[0]), (high if given[1] is None else given[1])


def _leaky(node: Node) -> Features:
    slope = node.number("alpha", 0.01)
    return _with_slope(node, slope, slope)


def _prelu(node: Node) -> Features:
    slopes = node.array(1).small()
    if not slopes.size:
        raise NotExpressibleError("has no slope")
    return _with_slope(node, float(slopes.min()), float(slopes.max()))


def _with_slope(node: Node, least: float, most: float) -> Features:
    features = node.features(0)
    if max(abs(least - 0.01), abs(most - 0.01)) < 1e-6:
        return activation(node, features, "leaky_relu")
    if least == most == 0:
        return activation(node, features, "relu")
    slope = f"{least:g}" if least == most else f"{least:g} to {most:g}"
    return activation(node, features, "leaky_relu", f"has the slope {slope}; 0.01 is used instead")


def _elu(node: Node) -> Features:
    factor = node.number("alpha", 1.0)
    note = "" if factor == 1 else f"has the factor {factor:g}; 1 is used instead"
    return activation(node, node.features(0), "elu", note)


def _selu(node: Node) -> Features:
    usual = math.isclose(node.number("alpha", 1.67326), 1.67326, rel_tol=1e-4) and math.isclose(
        node.number("gamma", 1.0507), 1.0507, rel_tol=1e-4
    )
    return activation(
        node, node.features(0), "selu", "" if usual else "has factors of its own, which are ignored"
    )


def _gelu(node: Node) -> Features:
    exact = node.text("approximate", "none") == "none"
    note = "" if exact else "approximates gelu by tanh; the exact gelu is used instead"
    return activation(node, node.features(0), "gelu", note)


def _swish(node: Node) -> Features:
    if node.number("alpha", 1.0) != 1:
        raise NotExpressibleError("has a factor inside of its sigmoid")
    return activation(node, node.features(0), "silu")


def _softmax(node: Node) -> Features:
    features = node.features(0)
    rank = len(features.view) + 1
    is_old = node.context.opset < 13
    axis = node.integer("axis", 1 if is_old else -1) % rank
    if channel_axis(features.view, features.shape) != axis - 1:
        raise NotExpressibleError("applies softmax to another axis than the channels")
    if is_old and math.prod(dims(features.view)[axis:]) != 1:
        raise NotExpressibleError("applies softmax to all values of an image together")
    return activation(node, features, "softmax")


def _log_softmax(node: Node) -> Features:
    if node.context.output not in node.operation.outputs:
        raise NotExpressibleError("applies a logarithm inside of the network")
    node.context.is_log = True
    return _softmax(node)


def _hard_sigmoid(node: Node) -> Features:
    slope, offset = node.number("alpha", 0.2), node.number("beta", 0.5)
    usual = math.isclose(slope, 1 / 6, rel_tol=1e-5) and math.isclose(offset, 0.5, rel_tol=1e-5)
    note = "" if usual else f"is {slope:g} x + {offset:g} from 0 to 1; x / 6 + 0.5 is used instead"
    return activation(node, node.features(0), "hard_sigmoid", note)


def _named(name: str) -> Handler:
    return lambda node: activation(node, node.features(0), name)


def _close_to(name: str) -> Handler:
    return lambda node: _closest(node, name)


ACTIVATIONS: Mapping[str, Handler] = {
    **{kind: _named(name) for kind, name in _SIMPLE.items()},
    **{kind: _close_to(name) for kind, name in _CLOSEST.items()},
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Elu": _elu,
    "Selu": _selu,
    "Gelu": _gelu,
    "Swish": _swish,
    "HardSigmoid": _hard_sigmoid,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "LRN": lambda node: omitted(node, "normalizes over neighboring channels, which no layer here does"),
}


# Functions that several nodes make up


def functions_of(node: Node) -> Functions:
    """What the node computes, as functions of the values that it starts from; empty if it is no such node."""
    context, inputs = node.context, node.operation.inputs
    own = _unary(node)
    if own is not None:
        return {source: _after(own, inner) for source, inner in context.functions.get(inputs[0], {}).items()}
    combine = BINARY.get(node.operation.kind)
    if combine is None or len(inputs) != 2:
        return {}
    left, right = (_number(node, index) for index in (0, 1))
    if right is not None:
        first = context.functions.get(inputs[0], {})
        return {source: _combined(combine, inner, _always(right)) for source, inner in first.items()}
    if left is not None:
        second = context.functions.get(inputs[1], {})
        return {source: _combined(combine, _always(left), inner) for source, inner in second.items()}
    one, other = (context.functions.get(name, {}) for name in inputs)
    return {source: _combined(combine, one[source], other[source]) for source in one if source in other}


def _number(node: Node, index: int) -> float | None:
    """The input at that place, if it is a single number."""
    value = node.value(index)
    return scalar(value) if isinstance(value, Array) and value.size == 1 else None


def _always(number: float) -> Function:
    return lambda x: np.full_like(x, number)


def _combined(
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray], one: Function, other: Function
) -> Function:
    return lambda x: combine(one(x), other(x))


def _after(outer: Function, inner: Function) -> Function:
    return lambda x: outer(inner(x))


def _unary(node: Node) -> Function | None:
    """The function of a node with one input and, perhaps, settings."""
    kind = node.operation.kind
    if kind == "HardSigmoid":
        slope, offset = node.number("alpha", 0.2), node.number("beta", 0.5)
        return lambda x: np.clip(slope * x + offset, 0, 1)
    if kind == "Clip":
        try:
            low, high = _bounds(node)
        except NotExpressibleError:
            return None
        return lambda x: np.clip(x, low, high)
    return UNARY.get(kind)


def spelled_out(node: Node, functions: Functions) -> Features | None:
    """The activation that this node completes, applied to the value where it started; None for none."""
    for source, function in functions.items():
        start = node.context.values.get(source)
        if isinstance(start, Features):
            name, note = recognize(function)
            if name == "linear":
                return start
            if name:
                return activation(node, start, name, note)
    return None
