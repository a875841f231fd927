"""Nodes that compute constants from constants: the shape that a Reshape needs, or transposed weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cnnstudio.interchange.onnx.arrays import (
    MAXIMUM_MADE,
    MAXIMUM_RANK,
    SMALL,
    Array,
    computed,
    constant,
    repeated,
)
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.file.model import Operation

TO_THE_END = 2**31 - 1
"""And more: how files say that a slice has no end."""
_DTYPES: Mapping[int, type] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
_UNARY: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Not": np.logical_not,
    "Reciprocal": lambda value: (1 / value).astype(value.dtype),
}
_BINARY: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Pow": np.power,
    "Min": np.minimum,
    "Max": np.maximum,
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
    "Div": lambda left, right: _divided(left, right),
}
_COMPARISONS = ("Equal", "Greater", "Less")


def fold(operation: Operation, inputs: Sequence[Array | None]) -> Array | None:
    """The constant that a node computes; None if it is of a kind that is not computed here.

    Raises NotExpressibleError or OnnxError if its inputs do not fit together.
    """
    function = _FUNCTIONS.get(operation.kind)
    if function is None and operation.kind not in _UNARY and operation.kind not in _BINARY:
        return None
    given = [each for each in inputs if each is not None]
    if not given and operation.kind != "Constant":
        raise NotExpressibleError("has no inputs")
    try:
        with np.errstate(all="ignore"):
            if function is not None:
                return function(operation, inputs)
            if operation.kind in _UNARY:
                return given[0].then(_UNARY[operation.kind])
            return _binary(operation.kind, given)
    except (ValueError, TypeError, IndexError, OverflowError, KeyError, MemoryError):
        raise NotExpressibleError("has constants that do not fit together") from None


def integers(array: Array) -> list[int]:
    """The values of a short list of integers. Raises NotExpressibleError if they are something else."""
    value = array.small()
    if array.dtype.kind not in "iub" or value.ndim > 1:
        raise NotExpressibleError("needs a list of integers where it has something else")
    return [int(each) for each in value.reshape(-1)]


def axes_of(operation: Operation, inputs: Sequence[Array | None], index: int = 1) -> list[int] | None:
    """The axes that a node names: an attribute in older files, an input in newer ones. None without any."""
    attribute = operation.attributes.get("axes")
    if isinstance(attribute, list):
        return [int(axis) for axis in attribute]
    given = inputs[index] if index < len(inputs) else None
    return None if given is None else integers(given)


def resolved_shape(target: Sequence[int], dims: Sequence[int], *, allow_zero: bool = False) -> list[int]:
    """The dimensions that a Reshape gives an array of `dims`. Raises NotExpressibleError.

    0 keeps a dimension, -1 is what is left.
    """
    result = list(target)
    for index, size in enumerate(result):
        if size == 0 and not allow_zero:
            if index >= len(dims):
                raise NotExpressibleError("keeps a dimension that its input does not have")
            result[index] = dims[index]
    if result.count(-1) > 1 or min(result, default=1) < -1:
        raise NotExpressibleError("reshapes to an impossible shape")
    if -1 in result:
        known = -math.prod(result)
        if known <= 0 or math.prod(dims) % known:
            raise NotExpressibleError("reshapes to another number of values")
        result[result.index(-1)] = math.prod(dims) // known
    if math.prod(result) != math.prod(dims):
        raise NotExpressibleError("reshapes to another number of values")
    return result


def squeezed(dims: Sequence[int], axes: Sequence[int] | None) -> list[int]:
    """The dimensions without those axes of size 1, by default all of them."""
    rank = len(dims)
    chosen = {axis % rank for axis in axes} if axes is not None and rank else None
    if chosen is None:
        return [size for size in dims if size != 1]
    if any(dims[axis] != 1 for axis in chosen):
        raise NotExpressibleError("drops an axis that has several values")
    return [size for axis, size in enumerate(dims) if axis not in chosen]


def unsqueezed(dims: Sequence[int], axes: Sequence[int]) -> list[int]:
    """The dimensions with new axes of size 1 at those places of the result."""
    rank = len(dims) + len(axes)
    places = {axis % rank for axis in axes}
    if len(places) != len(axes):
        raise NotExpressibleError("adds the same axis twice")
    left = iter(dims)
    return [1 if place in places else next(left) for place in range(rank)]


def _divided(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if left.dtype.kind in "iu":
        if not np.all(right):
            raise NotExpressibleError("divides by zero")
        # Towards zero, as in C.
        result: np.ndarray = np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right))
        return result.astype(left.dtype)
    quotient: np.ndarray = np.divide(left, right)
    return quotient


def _binary(kind: str, given: Sequence[Array]) -> Array:
    result = given[0]
    if len(given) < 2 and kind not in ("Min", "Max"):
        raise NotExpressibleError("needs two inputs")
    for other in given[1:]:
        dims = np.broadcast_shapes(result.dims, other.dims)
        if math.prod(dims) > max(result.size, other.size, SMALL):
            raise NotExpressibleError("depends on a very large constant")
        dtype = np.dtype(np.bool_) if kind in _COMPARISONS else result.dtype
        result = computed((result, other), _BINARY[kind], dims, dtype)
    return result


def _constant(operation: Operation, inputs: Sequence[Array | None]) -> Array | None:
    for value in operation.attributes.values():
        if isinstance(value, Array):
            return value
        if isinstance(value, int):
            return constant(np.array(value, np.int64))
        if isinstance(value, float):
            return constant(np.array(value, np.float32))
        if isinstance(value, list):
            is_float = any(isinstance(each, float) for each in value)
            return constant(np.array(value, np.float32 if is_float else np.int64))
    return None


def _first(inputs: Sequence[Array | None]) -> Array:
    first = inputs[0]
    if first is None:
        raise NotExpressibleError("has no input")
    return first


def _second(inputs: Sequence[Array | None]) -> Array:
    second = inputs[1] if len(inputs) > 1 else None
    if second is None:
        raise NotExpressibleError("lacks its second input")
    return second


def _cast(operation: Operation, inputs: Sequence[Array | None]) -> Array | None:
    kind = operation.attributes.get("to")
    if not isinstance(kind, int) or kind not in _DTYPES:
        return None
    dtype = np.dtype(_DTYPES[kind])
    first = _first(inputs)
    return computed((first,), lambda value: value.astype(dtype), first.dims, dtype)


def _reshape(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    first = _first(inputs)
    allow_zero = operation.attributes.get("allowzero") == 1
    dims = resolved_shape(integers(_second(inputs)), first.dims, allow_zero=allow_zero)
    return first.then(lambda value: value.reshape(dims), dims)


def _with_dims(first: Array, dims: Sequence[int]) -> Array:
    return first.then(lambda value: value.reshape(tuple(dims)), dims)


def _squeeze(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    first = _first(inputs)
    return _with_dims(first, squeezed(first.dims, axes_of(operation, inputs)))


def _unsqueeze(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    first = _first(inputs)
    return _with_dims(first, unsqueezed(first.dims, axes_of(operation, inputs) or []))


def _flatten(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    first, axis = _first(inputs), operation.attributes.get("axis", 1)
    place = axis if isinstance(axis, int) else 1
    return _with_dims(first, [math.prod(first.dims[:place]), math.prod(first.dims[place:])])


def _transpose(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    first = _first(inputs)
    given = operation.attributes.get("perm")
    order = [int(axis) for axis in given] if isinstance(given, list) else [*reversed(range(len(first.dims)))]
    if sorted(order) != list(range(len(first.dims))):
        raise NotExpressibleError("names impossible axes")
    return first.then(lambda value: value.transpose(order), [first.dims[axis] for axis in order])


def _concat(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    given = [each for each in inputs if each is not None]
    axis = operation.attributes.get("axis", 0)
    assert isinstance(axis, int)
    dims = list(given[0].dims)
    dims[axis] = sum(each.dims[axis] for each in given)
    return computed(given, lambda *values: np.concatenate(values, axis), dims, given[0].dtype)


def _gather(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    axis = operation.attributes.get("axis", 0)
    assert isinstance(axis, int)
    value, index = _first(inputs).small(), _second(inputs).small()
    if index.size * value.size > SMALL:
        raise NotExpressibleError("depends on a very large constant")
    return constant(np.take(value, index, axis))


def _slice(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    value = _first(inputs).small()
    for axis, start, stop, step in slices(operation, inputs, value.ndim):
        value = value[(slice(None),) * axis + (slice(start, stop, step),)]
    return constant(value)


def slices(
    operation: Operation, inputs: Sequence[Array | None], rank: int
) -> list[tuple[int, int, int, int]]:
    """(axis, start, stop, step) of a Slice; attributes in older files, inputs in newer ones."""
    if len(inputs) > 1:
        lists = [None if each is None else integers(each) for each in inputs[1:5]]
        starts, stops, axes, steps = [*lists, None, None, None][:4]
    else:
        found = [operation.attributes.get(name) for name in ("starts", "ends", "axes")]
        starts, stops, axes = (
            [int(each) for each in value] if isinstance(value, list) else None for value in found
        )
        steps = None
    if starts is None or stops is None:
        raise NotExpressibleError("does not say what it takes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if any(not -rank <= axis < rank for axis in axes) or 0 in steps:
        raise NotExpressibleError("names impossible axes")
    return [
        (axis % rank, start, stop, step)
        for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True)
    ]


def _constant_of_shape(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    dims = integers(_first(inputs))
    if len(dims) > MAXIMUM_RANK or min(dims, default=1) < 0 or math.prod(dims) > MAXIMUM_MADE:
        raise NotExpressibleError("makes a very large constant")
    given = operation.attributes.get("value")
    value = given.small().reshape(-1)[:1] if isinstance(given, Array) else np.zeros(1, np.float32)
    if not value.size:
        raise NotExpressibleError("has no value")
    return repeated(value[0], dims)


def _expand(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    value, target = _first(inputs).small(), integers(_second(inputs))
    dims = np.broadcast_shapes(value.shape, tuple(target))
    if math.prod(dims) > SMALL:
        raise NotExpressibleError("makes a very large constant")
    return constant(np.broadcast_to(value, dims).copy())


def _where(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    values = [each.small() for each in inputs if each is not None]
    if math.prod(np.broadcast_shapes(*(value.shape for value in values))) > SMALL:
        raise NotExpressibleError("makes a very large constant")
    return constant(np.where(*values))


def _range(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    start, stop, step = (each.small().reshape(-1)[0] for each in inputs if each is not None)
    if step == 0 or not abs((stop - start) / step) <= SMALL:
        raise NotExpressibleError("makes a very large constant")
    return constant(np.arange(start, stop, step, dtype=_first(inputs).dtype))


def _reduce_product(operation: Operation, inputs: Sequence[Array | None]) -> Array:
    axes = axes_of(operation, inputs)
    keep = operation.attributes.get("keepdims", 1) != 0
    value = _first(inputs).small()
    return constant(
        np.prod(value, axis=None if axes is None else tuple(axes), keepdims=keep, dtype=value.dtype)
    )


_FUNCTIONS: Mapping[str, Callable[[Operation, Sequence[Array | None]], Array | None]] = {
    "Constant": _constant,
    "Identity": lambda operation, inputs: _first(inputs),
    "Cast": _cast,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Shape": lambda operation, inputs: shape_of(operation, _first(inputs).dims),
    "Size": lambda operation, inputs: constant(np.array(_first(inputs).size, np.int64)),
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Where": _where,
    "Range": _range,
    "ReduceProd": _reduce_product,
}


def shape_of(operation: Operation, dims: Sequence[int]) -> Array:
    """What a node of the kind Shape gives for an array of `dims`."""
    start, end = operation.attributes.get("start", 0), operation.attributes.get("end")
    first = start if isinstance(start, int) else 0
    last = end if isinstance(end, int) else len(dims)
    return constant(np.array(dims[first:last], np.int64))
