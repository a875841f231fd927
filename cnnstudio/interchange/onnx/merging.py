"""Neighboring steps that are one layer: a constant that a layer takes into its weights, and activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from cnnstudio.interchange.onnx.arrays import Array, computed, constant
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.values import Affine, AnyStep, Omitted, Step, make
from cnnstudio.layers.base import Role, Shape, ShapeError
from cnnstudio.layers.sliding_window import effective_kernel_size, same_padding

_SCALE_LIMIT = 1000.0
_MONOTONIC = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid", "hard_sigmoid", "tanh", "softplus"}
)
"""Activations that never decrease."""


def merged_steps(steps: Sequence[AnyStep], shape: Shape | None) -> list[AnyStep]:
    """The steps of a sequence whose first one gets `shape`, with fewer layers that compute the same.

    Constants that no layer takes in become layers, if the shape is known.
    """
    result: list[AnyStep] = []
    for step in _with_neighbors(steps):
        if isinstance(step, Affine) and (given := shapes_before([*result, step], shape)) is not None:
            step = as_layer(step, given)
        before = result[-1] if result else None
        joined = _with_padding(before, step, shapes_before(result, shape)) if before else None
        if joined is not None:
            result[-1] = joined
        else:
            result.append(step)
    # The layers that constants have become may take in activations.
    return _with_neighbors(result)


def _with_neighbors(steps: Sequence[AnyStep]) -> list[AnyStep]:
    """The steps, of which those that a step before takes in are left out."""
    found: list[AnyStep] = []
    for step in steps:
        joined = _joined(found[-1], step) if found else None
        if joined is not None:
            found[-1] = joined
        elif _is_activation(step) and (layer := _layer_before_pooling(found, step)) is not None:
            found[-2] = _activated(layer, step)
        else:
            found.append(step)
    return found


def _layer_before_pooling(found: Sequence[AnyStep], step: Step) -> Step | None:
    """The layer before a max-pooling that takes in an activation after it; None if there is none.

    The maximum stays the maximum under a non-decreasing function, so that both orders are the same; people
    draw the activation first.
    """
    if len(found) < 2 or step.note:
        return None
    layer, pooling = found[-2:]
    is_maximum = isinstance(pooling, Step) and pooling.layer.type_name() == "MaxPooling2D"
    if not is_maximum or getattr(step.layer, "activation", "") not in _MONOTONIC:
        return None
    return layer if isinstance(layer, Step) and _takes_activation(layer) else None


def shapes_before(steps: Sequence[AnyStep], shape: Shape | None) -> Shape | None:
    """The shape that the last of the steps gets; None if it is not known."""
    for step in steps[:-1]:
        if shape is None:
            return None
        if isinstance(step, Step):
            try:
                shape = step.layer.output_shape(shape)
            except ShapeError:
                return None
    return shape


def _joined(before: AnyStep, step: AnyStep) -> AnyStep | None:
    """Both as one step; None if they are two."""
    if isinstance(step, Affine):
        if isinstance(before, Affine):
            return _composed(before, step)
        if isinstance(before, Step) and _takes_affine(before):
            return _folded(before, step)
        return None
    if isinstance(before, Step) and _is_activation(step) and _takes_activation(before):
        return _activated(before, step)
    return None


def _is_activation(step: AnyStep) -> TypeGuard[Step]:
    return isinstance(step, Step) and step.layer.role is Role.ACTIVATION


def _takes_activation(step: AnyStep) -> bool:
    """Whether it is a layer with weights that has no activation yet."""
    is_free = isinstance(step, Step) and bool(step.weights) and not step.note
    return is_free and getattr(step.layer, "activation", "") == "linear"  # type: ignore[union-attr]  # it is a Step


def _activated(step: Step, activation: Step) -> Step:
    name = getattr(activation.layer, "activation", "linear")
    layer = step.layer.with_values({"activation": name})
    return dataclasses.replace(step, layer=layer, note=activation.note)


def _takes_affine(step: Step) -> bool:
    """Whether its output is linear in a weight and a bias of its own."""
    layer = step.layer
    is_linear = getattr(layer, "activation", "linear") == "linear"
    return is_linear and "weight" in step.weights and (hasattr(layer, "use_bias") or hasattr(layer, "center"))


def _folded(step: Step, affine: Affine) -> Step:
    """The layer with the constants in its weights."""
    weights = dict(step.weights)
    weight = weights["weight"]
    outputs = weight.dims[0]
    bias = weights.get("bias")
    layer = step.layer
    if affine.scale is not None:
        weights["weight"] = _times_rows(weight, affine.scale)
        bias = None if bias is None else _combined(np.multiply, bias, affine.scale)
    if affine.shift is not None:
        start = constant(np.zeros(outputs, np.float32)) if bias is None else bias
        bias = _combined(np.add, start, affine.shift)
        layer = layer.with_values({"use_bias": True} if hasattr(layer, "use_bias") else {"center": True})
    if bias is not None:
        weights["bias"] = bias
    return dataclasses.replace(step, layer=layer, weights=weights)


def _times_rows(weight: Array, scale: Array) -> Array:
    """The weight, of which each row (the first axis) is multiplied by its number, or all by the only one."""

    def multiply(rows: np.ndarray, factors: np.ndarray) -> np.ndarray:
        result: np.ndarray = rows * factors.reshape(-1, *([1] * (rows.ndim - 1)))
        return result

    return computed((weight, scale), multiply, weight.dims, weight.dtype)


def _combined(function: np.ufunc, one: Array, other: Array) -> Array:
    dims = np.broadcast_shapes(one.dims, other.dims)
    return computed((one, other), lambda left, right: function(left, right), dims, one.dtype)


def _composed(first: Affine, second: Affine) -> Affine:
    """One after the other as one."""
    scale, shift = first.scale, first.shift
    if second.scale is not None:
        scale = second.scale if scale is None else _combined(np.multiply, scale, second.scale)
        shift = None if shift is None else _combined(np.multiply, shift, second.scale)
    if second.shift is not None:
        shift = second.shift if shift is None else _combined(np.add, shift, second.shift)
    return Affine(scale, shift)


def as_layer(affine: Affine, shape: Shape) -> Step:
    """The constants as a layer that computes just this."""
    scale, shift = affine.scale, affine.shift
    if shift is None and scale is not None and scale.size == 1:
        factor = float(scale.small().reshape(()))
        if abs(factor) <= _SCALE_LIMIT:
            return Step(make("Scale", factor=factor))
    channels = shape.channels
    factors = vector(scale, channels, 1.0)
    if shape.is_image:
        layer = make("DepthwiseConv2D", kernel_size=(1, 1), use_bias=shift is not None)
        kernel = computed(
            (factors,), lambda value: value.reshape(-1, 1, 1, 1), (channels, 1, 1, 1), factors.dtype
        )
        weights = {"weight": kernel}
        if shift is not None:
            weights["bias"] = vector(shift, channels, 0.0)
        return Step(layer, weights)
    # (x - 0) / sqrt((1 - epsilon) + epsilon) * scale + shift.
    layer = make("BatchNormalization")
    epsilon = np.float32(getattr(layer, "epsilon", 0.0))
    weights = {
        "weight": factors,
        "bias": vector(shift, channels, 0.0),
        "running_mean": constant(np.zeros(channels, np.float32)),
        "running_var": constant(np.full(channels, 1 - epsilon, np.float32)),
        "num_batches_tracked": constant(np.array(0, np.int64)),
    }
    return Step(layer, weights)


def vector(array: Array | None, size: int, default: float) -> Array:
    """A number for each channel. Raises NotExpressibleError if there are more or fewer."""
    if array is None:
        return constant(np.full(size, default, np.float32))
    if array.size not in (1, size):
        raise NotExpressibleError("has constants for another number of channels")
    return computed((array,), lambda value: np.full(size, value, np.float32), (size,), np.dtype(np.float32))


def _with_padding(before: AnyStep, step: AnyStep, shape: Shape | None) -> Step | None:
    """A convolution that does the padding of the layer before it, if that is Keras's "same"; else None.

    `shape` is what the layer before gets.
    """
    if isinstance(before, Omitted | Affine) or not isinstance(step, Step) or shape is None:
        return None
    sides, kernel = getattr(before.layer, "padding", None), getattr(step.layer, "kernel_size", None)
    if not isinstance(sides, tuple) or kernel is None or getattr(step.layer, "padding", "") != "valid":
        return None
    extent = effective_kernel_size(kernel, getattr(step.layer, "dilation_rate", (1, 1)))
    strides: tuple[int, int] = getattr(step.layer, "strides", (1, 1))
    wanted = tuple(same_padding(*each) for each in zip(shape.dims[1:], extent, strides, strict=True))
    if wanted != sides:
        return None
    return dataclasses.replace(step, layer=step.layer.with_values({"padding": "same"}))
