"""Nodes that normalize."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnstudio.interchange.onnx.arrays import Array, computed, constant, scalar
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.file.model import Operation
from cnnstudio.interchange.onnx.folding import axes_of
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.operators.images import as_vector, in_plain_order, settled
from cnnstudio.interchange.onnx.values import Features, Step, make
from cnnstudio.interchange.onnx.views import channel_axis, dims, is_plain_order
from cnnstudio.layers.base import ShapeError


def _vector(array: Array, size: int) -> Array:
    """One number per channel, float32."""
    if array.size != size:
        raise NotExpressibleError(f"has {array.size:,} numbers for {size:,} channels")
    return array.floats().then(lambda value: value.reshape(-1), (size,))


def _normalized(features: Features, step: Step) -> Features:
    """The features after a layer that keeps their shape and view."""
    try:
        step.layer.output_shape(features.shape)
    except ShapeError as error:
        raise NotExpressibleError(error.message.replace("{source}", "")) from None
    return features.then(step)


def _batch_normalization(node: Node) -> Features:
    features = node.features(0)
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        raise NotExpressibleError("uses the statistics of each batch, or one mean per pixel")
    if len(features.view) == 1:
        features = as_vector(features)
    elif channel_axis((features := settled(features)).view, features.shape) != 0:
        raise NotExpressibleError("normalizes along another axis than the channels")
    names = ("weight", "bias", "running_mean", "running_var")
    channels = features.shape.channels
    weights = {name: _vector(node.array(index), channels) for index, name in enumerate(names, 1)}
    if features.shape.is_flat:
        weights = {name: in_plain_order(features, array) for name, array in weights.items()}
    weights["num_batches_tracked"] = constant(np.array(0, np.int64))
    momentum = min(max(node.number("momentum", 0.9), 0.0), 0.9999)
    # Both are float32 in the file: 0.9 instead of 0.8999999761581421.
    layer = make("BatchNormalization", momentum=_short(momentum), epsilon=_epsilon(node))
    return _normalized(features, Step(layer, weights))


def _short(value: float) -> float:
    """The shortest decimal number of that float32."""
    return float(str(np.float32(value)))


def _epsilon(node: Node, default: float = 1e-5) -> float:
    return _short(node.number("epsilon", default))


def _instance_normalization(node: Node) -> Features:
    """Each channel by itself, or, with a reshape around it as PyTorch writes it, each group of them."""
    features = node.features(0)
    shape, view = features.shape, features.view
    if not shape.is_image or not is_plain_order(view):
        raise NotExpressibleError("normalizes an array that is no image of channels first")
    groups = dims(view)[0]
    # The parts of a view in the plain order continue each other: the first axis is the slowest.
    if dims(view)[1:] != (shape.size // groups,) and dims(view) != shape.dims:
        raise NotExpressibleError("normalizes other parts of an image than groups of channels")
    if shape.channels % groups:
        raise NotExpressibleError("normalizes parts of channels")
    return _grouped(node, features, groups, node.array(1), node.array(2))


def _grouped(node: Node, features: Features, groups: int, scale: Array, shift: Array) -> Features:
    channels = features.shape.channels
    layer = make("GroupNormalization", groups=groups, epsilon=_epsilon(node))
    weights = {"weight": _spread(scale, channels, groups), "bias": _spread(shift, channels, groups)}
    return _normalized(features, Step(layer, weights))


def _spread(array: Array, channels: int, groups: int) -> Array:
    """One number per channel, of one per channel or per group."""
    if array.size != groups or groups == channels:
        return _vector(array, channels)
    each = channels // groups
    return computed(
        (array.floats(),),
        lambda value: np.repeat(value.reshape(-1), each),
        (channels,),
        np.dtype(np.float32),
    )


def _group_normalization(node: Node) -> Features:
    features = node.features(0)
    groups = node.integer("num_groups", 0)
    if groups < 1 or channel_axis(features.view, features.shape) != 0 or features.shape.channels % groups:
        raise NotExpressibleError("normalizes other parts of an image than groups of channels")
    return _grouped(node, features, groups, node.array(1), node.array(2))


def _layer_normalization(node: Node) -> Features:
    features = node.features(0)
    axis = node.integer("axis", -1)
    last = len(features.view)
    if axis % (last + 1) != last:
        raise NotExpressibleError("normalizes several axes together")
    shift = node.optional_array(2)
    return _over_channels(node, features, last - 1, node.array(1), shift, _epsilon(node))


def _over_channels(
    node: Node,
    features: Features,
    axis: int,
    scale: Array | None,
    shift: Array | None,
    epsilon: float,
) -> Features:
    if len(features.view) == 1:
        features = as_vector(features)
    elif channel_axis(features.view, features.shape) != axis:
        raise NotExpressibleError("normalizes along another axis than the channels")
    channels = features.shape.channels
    weights = {
        "weight": constant(np.ones(channels, np.float32)) if scale is None else _vector(scale, channels),
        "bias": constant(np.zeros(channels, np.float32)) if shift is None else _vector(shift, channels),
    }
    if features.shape.is_flat:
        weights = {name: in_plain_order(features, array) for name, array in weights.items()}
    layer = make("LayerNormalization", epsilon=epsilon)
    return _normalized(features, Step(layer, weights))


NORMALIZATION: Mapping[str, Handler] = {
    "BatchNormalization": _batch_normalization,
    "InstanceNormalization": _instance_normalization,
    "GroupNormalization": _group_normalization,
    "LayerNormalization": _layer_normalization,
}


def spelled_out_normalization(node: Node) -> Features | None:
    """(x - mean) / sqrt(mean((x - mean)²) + epsilon) over the channels, as one layer; None for anything else.

    Files of older versions have no node for it.
    """
    if node.operation.kind != "Div":
        return None
    centered, root = (_producer(node, name) for name in node.operation.inputs)
    if centered is None or centered.kind != "Sub" or root is None or root.kind != "Sqrt":
        return None
    source, mean = centered.inputs
    total = _producer(node, root.inputs[0])
    if total is None or total.kind != "Add" or not _is_mean(node, mean, source):
        return None
    for index in (0, 1):
        variance, epsilon = total.inputs[index], node.context.values.get(total.inputs[1 - index])
        mean_of = _producer(node, variance)
        if (
            not isinstance(epsilon, Array)
            or mean_of is None
            or not _is_mean(node, variance, mean_of.inputs[0])
        ):
            continue
        square = _producer(node, mean_of.inputs[0])
        start = node.context.values.get(source)
        if square is None or not _is_square(node, square, source, mean) or not isinstance(start, Features):
            continue
        axes = _mean_axes(node, mean_of)
        if axes is None or len(axes) != 1:
            continue
        axis = axes[0] % (len(start.view) + 1) - 1
        return _over_channels(node, start, axis, None, None, _short(scalar(epsilon)))
    return None


def _producer(node: Node, name: str) -> Operation | None:
    return node.context.producers.get(name)


def _mean_axes(node: Node, mean: Operation) -> list[int] | None:
    return axes_of(mean, Node(mean, node.context).arrays())


def _is_mean(node: Node, name: str, source: str) -> bool:
    """Whether a value is the mean of another over one axis."""
    mean = _producer(node, name)
    return mean is not None and mean.kind == "ReduceMean" and mean.inputs[0] == source


def _is_square(node: Node, square: Operation, source: str, mean: str) -> bool:
    """Whether a node computes (x - mean)²."""
    if square.kind == "Pow":
        exponent = node.context.values.get(square.inputs[1])
        if not isinstance(exponent, Array) or exponent.size != 1 or scalar(exponent) != 2:
            return False
    elif square.kind != "Mul" or square.inputs[0] != square.inputs[1]:
        return False
    inner = _producer(node, square.inputs[0])
    return inner is not None and inner.kind == "Sub" and inner.inputs == (source, mean)
