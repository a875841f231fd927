"""Nodes that multiply by a matrix of weights: dense layers, and 1 × 1 convolutions of channels last."""

from __future__ import annotations

from collections.abc import Mapping

from cnnstudio.interchange.onnx.arrays import Array, computed
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.node import Handler, Node
from cnnstudio.interchange.onnx.operators.images import as_vector, full, in_plain_order
from cnnstudio.interchange.onnx.values import Features, Step, make
from cnnstudio.interchange.onnx.views import View, channel_axis, plain
from cnnstudio.layers.base import Shape


def dense(features: Features, weight: Array, bias: Array | None) -> Features:
    """The features after a dense layer. `weight` is (units, inputs), its columns in the file's order."""
    vector = as_vector(features)
    units, inputs = weight.dims
    if inputs != vector.shape.features:
        raise NotExpressibleError(f"has weights for {inputs} values, but gets {vector.shape.features}")
    if bias is not None and bias.dims != (units,):
        raise NotExpressibleError("has a bias of another shape than its units")
    weights = {"weight": in_plain_order(vector, weight.floats())}
    if bias is not None:
        weights["bias"] = bias.floats()
    return vector.after(make("Dense", units=units, use_bias=bias is not None), weights=weights)


def _transposed(array: Array) -> Array:
    rows, columns = array.dims
    return array.then(lambda value: value.T, (columns, rows))


def _scaled(array: Array, factor: float) -> Array:
    return array if factor == 1 else array.floats().then(lambda value: value * value.dtype.type(factor))


def gemm(node: Node) -> Features:
    features, weight, bias = node.features(0), node.array(1), node.optional_array(2)
    if node.integer("transA", 0) or len(weight.dims) != 2:
        raise NotExpressibleError("multiplies in another order than a dense layer")
    weight = weight if node.integer("transB", 0) else _transposed(weight)
    units = weight.dims[0]
    if bias is not None:
        if bias.size not in (1, units) or (bias.dims and bias.dims[-1] != bias.size):
            raise NotExpressibleError("has a bias of another shape than its units")
        flat = bias.floats().then(lambda value: value.reshape(-1), (bias.size,))
        bias = _scaled(full(flat, units), node.number("beta", 1.0))
    return dense(features, _scaled(weight, node.number("alpha", 1.0)), bias)


def matrix_product(node: Node) -> Features:
    if not isinstance(node.value(0), Features) or isinstance(node.value(1), Features):
        raise NotExpressibleError("multiplies computed values with each other, as attention does")
    features, weight = node.features(0), node.array(1)
    if len(weight.dims) != 2:
        raise NotExpressibleError("multiplies by an array that is no matrix")
    if len(features.view) == 1:
        return dense(features, _transposed(weight), None)
    shape, last = features.shape, len(features.view) - 1
    inputs, filters = weight.dims
    if not shape.is_image or channel_axis(features.view, shape) != last or inputs != shape.channels:
        raise NotExpressibleError("multiplies along another axis than the channels")
    # A dense layer at each pixel.
    layer = make("Conv2D", filters=filters, kernel_size=(1, 1), use_bias=False)
    kernel = computed(
        (weight.floats(),),
        lambda value: value.T.reshape(filters, inputs, 1, 1),
        (filters, inputs, 1, 1),
        weight.floats().dtype,
    )
    new = Shape.of(filters, shape.height, shape.width)
    view: View = (*features.view[:last], plain(new)[0])
    return features.then(Step(layer, {"weight": kernel}), new, view)


DENSE: Mapping[str, Handler] = {"Gemm": gemm, "MatMul": matrix_product}
