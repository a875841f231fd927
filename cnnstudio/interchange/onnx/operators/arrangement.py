"""Nodes that arrange values anew: reshape, transpose, pad, cut, enlarge, or do nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnnstudio.interchange.onnx.arrays import Array, scalar
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.folding import (
    TO_THE_END,
    axes_of,
    integers,
    resolved_shape,
    shape_of,
    slices,
    squeezed,
    unsqueezed,
)
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.operators.images import as_image, settled
from cnnstudio.interchange.onnx.values import Features, Step, Value, make
from cnnstudio.interchange.onnx.views import channel_axis, dims, layout, ordered, reshaped
from cnnstudio.layers.base import Layer


def _rearranged(node: Node, features: Features, target: Sequence[int]) -> Features:
    """The same values as an array of these dimensions, the batch included."""
    if not target or target[0] != node.context.batch:
        raise NotExpressibleError("mixes the values of different images, or drops the axis of the batch")
    return features.seen_as(reshaped(features.view, target[1:]))


def _all_dims(node: Node, features: Features) -> list[int]:
    return [node.context.batch, *dims(features.view)]


def _reshape(node: Node) -> Features:
    features = node.features(0)
    target = node.integers("shape") if node.count < 2 else integers(node.array(1))
    allow_zero = node.integer("allowzero", 0) == 1
    resolved = resolved_shape(target or [], _all_dims(node, features), allow_zero=allow_zero)
    return _rearranged(node, features, resolved)


def regathered(node: Node) -> Features | None:
    """All values in a row, gathered in that order: as PyTorch's newer exporter writes as_strided.

    None if the node does something else. The axis of the batch is lost only in between.
    """
    before = node.context.producers.get(node.operation.inputs[0])
    if before is None or before.kind != "Reshape":
        return None
    features, indices = node.context.values[before.inputs[0]], node.value(1)
    if not isinstance(features, Features) or not isinstance(indices, Array) or node.integer("axis", 0) != 0:
        return None
    target = integers(Node(before, node.context).array(1))
    count = math.prod(_all_dims(node, features))
    # The sizes first: an image after a convolution may have more values than there is memory for places.
    if target not in ([-1], [count]) or indices.size != count:
        return None
    if indices.small().reshape(-1).tolist() != list(range(count)):
        return None
    return _rearranged(node, features, indices.dims)


def _flatten(node: Node) -> Features:
    features, axis = node.features(0), node.integer("axis", 1)
    sizes = _all_dims(node, features)
    axis = axis % len(sizes)
    if axis == 0:
        raise NotExpressibleError("mixes the values of different images")
    return _rearranged(node, features, [math.prod(sizes[:axis]), math.prod(sizes[axis:])])


def _squeeze(node: Node) -> Features:
    features = node.features(0)
    sizes = _all_dims(node, features)
    axes = axes_of(node.operation, node.arrays())
    if axes is None:
        axes = [axis for axis, size in enumerate(sizes) if size == 1 and axis > 0]
    if any(axis % len(sizes) == 0 for axis in axes):
        raise NotExpressibleError("drops the axis of the batch")
    return _rearranged(node, features, squeezed(sizes, axes))


def _unsqueeze(node: Node) -> Features:
    features = node.features(0)
    axes = axes_of(node.operation, node.arrays())
    if axes is None:
        raise NotExpressibleError("does not say which axes it adds")
    sizes = unsqueezed(_all_dims(node, features), axes)
    if any(axis % len(sizes) == 0 for axis in axes):
        raise NotExpressibleError("adds an axis before the batch")
    return _rearranged(node, features, sizes)


def _transpose(node: Node) -> Features:
    features = node.features(0)
    rank = len(features.view) + 1
    order = node.integers("perm") or list(reversed(range(rank)))
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise NotExpressibleError("moves the axis of the batch")
    return features.seen_as(tuple(features.view[axis - 1] for axis in order[1:]))


def _expand(node: Node) -> Features:
    features, target = node.features(0), integers(node.array(1))
    sizes = _all_dims(node, features)
    padded = [1] * (len(sizes) - len(target)) + target
    if any(wanted not in (1, size) for wanted, size in zip(padded, sizes, strict=False)):
        raise NotExpressibleError("repeats values along an axis")
    return features


def _dropout(node: Node) -> Sequence[Value]:
    features = node.features(0)
    given = node.optional_array(1)
    rate = node.number("ratio", 0.5) if given is None else scalar(given)
    if not 0 < rate < 1:
        return [features]
    layer = make("Dropout", rate=min(round(rate, 4), 0.95))
    return [features.then(Step(layer)).nonnegative(features.is_nonnegative)]


def _in_layout(node: Node, features: Features, layer: Layer) -> Features:
    """The features after a layer of images, in the order of axes that they have in the file."""
    letters = layout(features.view, features.shape)
    if not letters:
        raise NotExpressibleError("takes an image, but gets another array")
    result = features.after(layer).nonnegative(features.is_nonnegative)
    return result.seen_as(ordered(result.shape, letters))


def _pad(node: Node) -> Features:
    features = node.features(0)
    rank = len(features.view) + 1
    pads = node.integers("pads") or node.integers("paddings") if node.count < 2 else integers(node.array(1))
    axes = integers(node.array(3)) if node.count > 3 and node.value(3) is not None else list(range(rank))
    if pads is None or len(pads) != 2 * len(axes) or min(pads) < 0:
        raise NotExpressibleError("crops the image, or does not say what it adds")
    if not any(pads):
        return features
    value = node.optional_array(2)
    filled = node.number("value", 0.0) if value is None else scalar(value)
    mode = node.text("mode", "constant")
    if mode != "constant" or filled != 0:
        raise NotExpressibleError("adds a border of something else than zeros")
    features = settled(features)
    letters = layout(features.view, features.shape)
    sides = dict.fromkeys("CHW", (0, 0))
    for index, axis in enumerate(axes):
        both = pads[index], pads[index + len(axes)]
        if axis % rank == 0:
            if any(both):
                raise NotExpressibleError("adds images to the batch")
        elif letters:
            sides[letters[axis % rank - 1]] = both
    if any(sides["C"]):
        before, after = sides["C"]
        features = _in_layout(node, features, make("ChannelPadding", before=before, after=after))
    if any(sides["H"]) or any(sides["W"]):
        layer = make("ZeroPadding2D", padding=(sides["H"], sides["W"]))
        features = _in_layout(node, features, layer)
    elif not letters:
        raise NotExpressibleError("takes an image, but gets another array")
    return features


def _channels(node: Node, features: Features, axis: int, start: int, stop: int) -> Features:
    """Those values of an axis of the file's array."""
    features = settled(features)
    size = dims(features.view)[axis]
    start, stop = (max(0, min(each + size if each < 0 else each, size)) for each in (start, stop))
    if (start, stop) == (0, size):
        return features
    if stop <= start or channel_axis(features.view, features.shape) != axis or not features.shape.is_image:
        raise NotExpressibleError("cuts out a part of the image or vector")
    return _in_layout(node, features, make("ChannelSlice", start=start, channels=stop - start))


def _slice(node: Node) -> Features:
    features = node.features(0)
    for axis, start, stop, step in slices(node.operation, [None, *node.arrays()[1:]], len(features.view) + 1):
        if axis == 0 and step == 1 and start == 0 and stop >= TO_THE_END:
            # TensorFlow names all axes, also those of which it takes everything.
            continue
        if step != 1 or axis == 0:
            raise NotExpressibleError("takes every second value, or only some of the images")
        features = _channels(node, features, axis - 1, start, stop)
    return features


def _split(node: Node) -> Sequence[Value]:
    features = node.features(0)
    rank = len(features.view) + 1
    axis = node.integer("axis", 0) % rank - 1
    if axis < 0:
        raise NotExpressibleError("splits the batch")
    size, count = dims(features.view)[axis], len(node.operation.outputs)
    given = node.integers("split") if node.count < 2 else integers(node.array(1))
    each = -(-size // count)
    sizes = [min(each, size - each * index) for index in range(count)] if given is None else given
    if sum(sizes) != size or len(sizes) != count or min(sizes) < 1:
        raise NotExpressibleError("splits channels into impossible parts")
    starts = [sum(sizes[:index]) for index in range(count)]
    return [
        _channels(node, features, axis, start, start + length)
        for start, length in zip(starts, sizes, strict=True)
    ]


def _resize(node: Node) -> Features:
    features = as_image(node.features(0))
    sizes = _all_dims(node, features)
    target = node.value(3) if node.count > 3 else None
    if isinstance(target, Array) and target.size == 4:
        wanted = integers(target)
        scales = [new / old for new, old in zip(wanted, sizes, strict=True)]
    else:
        index = 2 if node.operation.kind == "Resize" and node.context.opset >= 11 else 1
        listed = node.operation.attributes.get("scales")
        if node.count > index:
            scales = [float(each) for each in node.array(index).small().reshape(-1)]
        else:
            scales = [float(each) for each in listed] if isinstance(listed, list) else []
    factors = [round(scale) for scale in scales]
    exact = all(abs(scale - factor) < 1e-6 for scale, factor in zip(scales, factors, strict=True))
    if len(scales) != 4 or factors[:2] != [1, 1] or not exact or min(factors) < 1:
        raise NotExpressibleError("does not enlarge the image by an integer factor")
    if factors == [1, 1, 1, 1]:
        return features
    layer = make("UpSampling2D", size=(factors[2], factors[3]), interpolation=_interpolation(node))
    return features.after(layer).nonnegative(features.is_nonnegative)


def _interpolation(node: Node) -> str:
    mode = node.text("mode", "nearest")
    old = node.operation.kind == "Upsample" or node.context.opset < 11
    positions = node.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = node.text("nearest_mode", "floor" if old else "round_prefer_floor")
    if mode == "nearest":
        same = {
            ("asymmetric", "floor"),
            ("half_pixel", "round_prefer_floor"),
            ("half_pixel", "round_prefer_ceil"),
        }
        if (positions, rounding) in same:
            return "nearest"
    elif mode == "linear" and positions in ("half_pixel", "pytorch_half_pixel"):
        return "bilinear"
    raise NotExpressibleError(f"enlarges the image in a way that no layer here does ({mode}, {positions})")


def _shape(node: Node) -> Array:
    return shape_of(node.operation, _all_dims(node, node.features(0)))


def _cast(node: Node) -> Features:
    if node.operation.attributes.get("to") not in (1, 10, 11, 16):
        raise NotExpressibleError("rounds values to integers")
    return node.features(0)


ARRANGEMENT: Mapping[str, Handler] = {
    "Identity": lambda node: node.features(0),
    "Cast": _cast,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Expand": _expand,
    "Dropout": _dropout,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Resize": _resize,
    "Upsample": _resize,
    "Shape": _shape,
}
