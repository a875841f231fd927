"""Nodes with a window that slides over the image: convolution and pooling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.folding import TO_THE_END, axes_of, integers, slices
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.operators.dense import dense
from cnnstudio.interchange.onnx.operators.images import as_image, is_pixel, settled
from cnnstudio.interchange.onnx.values import Features, Step, make
from cnnstudio.interchange.onnx.views import Axis, channel_axis, dims, plain
from cnnstudio.layers.base import Shape
from cnnstudio.layers.sliding_window import Sizes, effective_kernel_size, same_padding

Sides = tuple[Sizes, Sizes]
"""((top, bottom), (left, right)) in pixels."""
_NONE: Sides = ((0, 0), (0, 0))


def _padding(node: Node, shape: Shape, extent: Sizes, strides: Sizes) -> Sides:
    """What the node adds around an image of that shape."""
    mode = node.text("auto_pad", "NOTSET")
    sizes = shape.dims[1:]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        both = [same_padding(*each) for each in zip(sizes, extent, strides, strict=True)]
        if mode == "SAME_LOWER":
            both = [(after, before) for before, after in both]
        return both[0], both[1]
    if mode == "VALID":
        return _NONE
    pads = node.integers("pads") or [0, 0, 0, 0]
    if len(pads) != 4 or min(pads) < 0:
        raise NotExpressibleError("crops the image, or is not two-dimensional")
    return (pads[0], pads[2]), (pads[1], pads[3])


def _is_same(shape: Shape, extent: Sizes, strides: Sizes, sides: Sides) -> bool:
    """Whether this is Keras's "same"."""
    sizes = zip(shape.dims[1:], extent, strides, strict=True)
    return tuple(same_padding(*each) for each in sizes) == sides


def _padded(features: Features, sides: Sides) -> Features:
    """The features after a layer for the padding, if there is any."""
    if sides == _NONE:
        return features
    return features.after(make("ZeroPadding2D", padding=sides)).nonnegative(features.is_nonnegative)


def convolution(node: Node) -> Features:
    features, weight, bias = node.features(0), node.array(1), node.optional_array(2)
    if len(weight.dims) != 4 or len(dims(features.view)) != 3:
        raise NotExpressibleError("is not two-dimensional, as images are")
    filters, inputs, *kernel = weight.dims
    groups = node.integer("group", 1)
    strides, dilation = node.pair("strides"), node.pair("dilations")
    kernel_size = kernel[0], kernel[1]
    if is_pixel(features):
        if kernel_size != (1, 1) or groups != 1 or any(node.integers("pads") or ()):
            raise NotExpressibleError("slides a window over a single pixel")
        flat = features.seen_as((features.view[0],))
        matrix = weight.then(lambda value: value.reshape(filters, inputs), (filters, inputs))
        result = dense(flat, matrix, bias)
        return result.seen_as((*result.view, (), ()))
    image = as_image(features)
    channels = image.shape.channels
    if groups < 1 or inputs * groups != channels or filters % groups:
        raise NotExpressibleError(f"has weights for {inputs * groups} channels, but gets {channels}")
    if bias is not None and bias.dims != (filters,):
        raise NotExpressibleError("has a bias of another shape than its filters")
    sides = _padding(node, image.shape, effective_kernel_size(kernel_size, dilation), strides)
    same = _is_same(image.shape, effective_kernel_size(kernel_size, dilation), strides, sides)
    image = image if same else _padded(image, sides)
    values = {
        "kernel_size": kernel_size,
        "strides": strides,
        "padding": "same" if same and sides != _NONE else "valid",
        "dilation_rate": dilation,
        "use_bias": bias is not None,
    }
    if groups == channels > 1:
        layer = make("DepthwiseConv2D", depth_multiplier=filters // channels, **values)
    else:
        layer = make("Conv2D", filters=filters, groups=groups, **values)
    weights = {"weight": weight.floats()} | ({} if bias is None else {"bias": bias.floats()})
    return image.after(layer, weights=weights)


def _pooling(node: Node, image: Features) -> tuple[Sizes, Sizes, Sides, bool]:
    """(window, strides, padding, whether windows reach beyond the padding) of a pooling."""
    if "kernel_shape" not in node.operation.attributes:
        raise NotExpressibleError("has no size")
    size, strides = node.pair("kernel_shape"), node.pair("strides")
    if node.pair("dilations") != (1, 1):
        raise NotExpressibleError("has gaps in its windows")
    sides = _padding(node, image.shape, size, strides)
    reaches = False
    if node.integer("ceil_mode", 0) and node.text("auto_pad", "NOTSET") == "NOTSET":
        wider = []
        for length, window, stride, (before, after) in zip(
            image.shape.dims[1:], size, strides, sides, strict=True
        ):
            count = -(-(length + before + after - window) // stride) + 1
            # A window that would start in the padding at the end is left out.
            count -= (count - 1) * stride >= length + before
            needed = (count - 1) * stride + window - length - before
            reaches |= needed > after
            wider.append((before, max(after, needed)))
        sides = wider[0], wider[1]
    return size, strides, sides, reaches


def _within_image(shape: Shape, size: Sizes, strides: Sizes, sides: Sides) -> tuple[Sizes, Sizes, Sides]:
    """(window, strides, padding) of the same pooling, without padding where one window takes in all pixels.

    Only where what is padded counts for nothing.
    """
    axes = []
    for length, window, stride, (before, after) in zip(shape.dims[1:], size, strides, sides, strict=True):
        is_whole = window >= before + length and (length + before + after - window) // stride == 0
        within = (length, 1, (0, 0)) if is_whole and before + after else (window, stride, (before, after))
        axes.append(within)
    (height, down, rows), (width, across, columns) = axes
    return (height, width), (down, across), (rows, columns)


def max_pooling(node: Node) -> Features:
    image = as_image(node.features(0))
    size, strides, sides, _ = _pooling(node, image)
    same = sides != _NONE and _is_same(image.shape, size, strides, sides)
    if not same:
        size, strides, sides = _within_image(image.shape, size, strides, sides)
    if sides != _NONE and not same:
        if not image.is_nonnegative:
            raise NotExpressibleError(
                "pads the image for a maximum, which is the same as a border of zeros only after a relu"
            )
        image = _padded(image, sides)
    layer = make("MaxPooling2D", pool_size=size, strides=strides, padding="same" if same else "valid")
    return image.after(layer).nonnegative(image.is_nonnegative)


def average_pooling(node: Node) -> Features:
    image = as_image(node.features(0))
    size, strides, sides, reaches = _pooling(node, image)
    counts_padding = bool(node.integer("count_include_pad", 0))
    same = sides != _NONE and _is_same(image.shape, size, strides, sides)
    if not counts_padding and not same:
        size, strides, sides = _within_image(image.shape, size, strides, sides)
    if counts_padding and reaches:
        raise NotExpressibleError("counts a part of its padding only")
    if sides != _NONE and not counts_padding and not same:
        raise NotExpressibleError("leaves its padding out of the mean, which is only supported for “same”")
    if counts_padding:
        image, same = _padded(image, sides), False
    layer = make("AveragePooling2D", pool_size=size, strides=strides, padding="same" if same else "valid")
    return image.after(layer).nonnegative(image.is_nonnegative)


def cropped_pooling(node: Node) -> Features | None:
    """A pooling of which this node cuts off the first rows or columns; None for anything else.

    PyTorch pads both sides equally: so it pools one row and column too many, for Keras's "same" at a stride
    of 1. Cutting off as many rows as were padded is the same as padding less.
    """
    operation = node.operation
    pooling = node.context.producers.get(operation.inputs[0]) if operation.inputs else None
    handlers = {"MaxPool": max_pooling, "AveragePool": average_pooling}
    if pooling is None or pooling.kind not in handlers or pooling.domain:
        return None
    pooled = Node(pooling, node.context)
    pads, cut = pooled.integers("pads"), _cut(node)
    if pads is None or len(pads) != 4 or cut is None or pooled.pair("strides") != (1, 1):
        return None
    if not all(0 <= each <= pad for each, pad in zip(cut, pads, strict=False)):
        return None
    fewer = [pads[0] - cut[0], pads[1] - cut[1], *pads[2:]]
    changed = dataclasses.replace(pooling, attributes={**pooling.attributes, "pads": fewer})
    return handlers[pooling.kind](Node(changed, node.context))


def _cut(node: Node) -> tuple[int, int] | None:
    """The first rows and columns that a Slice or Pad of (N, C, H, W) cuts off, if it does just that."""
    cut = [0, 0, 0, 0]
    arrays = [None, *node.arrays()[1:]]
    if node.operation.kind == "Slice":
        for axis, start, stop, step in slices(node.operation, arrays, 4):
            if step != 1 or stop < TO_THE_END or start < 0:
                return None
            cut[axis] += start
    elif node.operation.kind == "Pad":
        given = arrays[1] if len(arrays) > 1 else None
        pads = node.integers("pads") if given is None else integers(given)
        if pads is None or len(pads) != 8 or any(pads[4:]) or max(pads) > 0:
            return None
        cut = [-each for each in pads[:4]]
    return (cut[2], cut[3]) if not any(cut[:2]) and any(cut) else None


def _global(node: Node, type_name: str, axes: list[int] | None, *, keep: bool) -> Features:
    """The mean or maximum of each feature map; `axes` of the file's array, None for all but the first two."""
    features = settled(node.features(0))
    rank = len(features.view) + 1
    if is_pixel(features) and axes is None:
        return features
    place = channel_axis(features.view, features.shape)
    others = {axis for axis in range(1, rank) if place is None or axis != place + 1}
    wanted = set(range(2, rank)) if axes is None else {axis % rank for axis in axes}
    if place is None or not features.shape.is_image or others != wanted:
        raise NotExpressibleError("reduces other axes than height and width")
    shape = Shape.of(features.shape.channels)
    channels = plain(shape)[0]
    kept: tuple[Axis, ...] = tuple(channels if axis == place else () for axis in range(rank - 1))
    step = Step(make(type_name))
    result = features.then(step, shape, kept if keep else (channels,))
    return result.nonnegative(features.is_nonnegative)


def _reduced(node: Node, type_name: str) -> Features:
    axes = axes_of(node.operation, node.arrays())
    if axes is None:
        raise NotExpressibleError("reduces all axes, the batch included")
    return _global(node, type_name, axes, keep=node.integer("keepdims", 1) != 0)


WINDOWS: Mapping[str, Handler] = {
    "Conv": convolution,
    "MaxPool": max_pooling,
    "AveragePool": average_pooling,
    "GlobalAveragePool": lambda node: _global(node, "GlobalAveragePooling2D", None, keep=True),
    "GlobalMaxPool": lambda node: _global(node, "GlobalMaxPooling2D", None, keep=True),
    "ReduceMean": lambda node: _reduced(node, "GlobalAveragePooling2D"),
    "ReduceMax": lambda node: _reduced(node, "GlobalMaxPooling2D"),
}
