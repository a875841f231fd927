"""The constants of a file: known by shape and type, and read only when their values are needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnnstudio.interchange.onnx.errors import NotExpressibleError, OnnxError

MAXIMUM_RANK = 8
SMALL = 65_536
"""Elements of what is read at once, such as the numbers that shapes are computed from."""
MAXIMUM_ELEMENTS = 2**33
MAXIMUM_MADE = 2**27
"""Elements of a constant that is one number again and again: a few bytes of a file can ask for any size."""
_MAXIMUM_WORK = 200
"""Operations for one constant."""


@dataclass(frozen=True, eq=False)
class Array:
    """A constant of the shape `dims`."""

    dims: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]
    """Its values: read-only, of the shape `dims`. Raises OnnxError if they cannot be read."""
    work: int = 0
    """How many operations compute its values; one that two others need is done for each of them."""
    sources: tuple[Array, ...] = ()
    """What it will be computed from; empty if its values are known or in a file."""

    @property
    def size(self) -> int:
        return math.prod(self.dims)

    def then(self, function: Callable[[np.ndarray], np.ndarray], dims: Sequence[int] | None = None) -> Array:
        """The result of a function that gives the shape `dims`, by default that of this array."""
        return computed((self,), function, self.dims if dims is None else tuple(dims), self.dtype)

    def floats(self) -> Array:
        """The same as float32."""
        if self.dtype == np.float32:
            return self
        return computed((self,), lambda value: value.astype(np.float32), self.dims, np.dtype(np.float32))

    def small(self) -> np.ndarray:
        """The values of a small array. Raises NotExpressibleError if it is large."""
        if self.size > SMALL:
            raise NotExpressibleError("depends on a very large constant")
        return self.load()


def constant(value: np.ndarray) -> Array:
    """An array whose values are known."""
    return Array(value.shape, value.dtype, lambda: value)


def repeated(value: np.generic, dims: Sequence[int]) -> Array:
    """An array of this number alone, which takes no memory."""
    return Array(tuple(dims), value.dtype, lambda: np.broadcast_to(value, tuple(dims)))


def computed(
    sources: Sequence[Array],
    function: Callable[..., np.ndarray],
    dims: Sequence[int],
    dtype: np.dtype,
) -> Array:
    """The result of a function of arrays, computed at once if it is small, else when it is needed."""
    work = 1 + sum(each.work for each in sources)
    if work > _MAXIMUM_WORK:
        raise OnnxError("its constants are computed in too many steps")
    result = Array(
        tuple(dims), dtype, lambda: function(*(each.load() for each in sources)), work, tuple(sources)
    )
    if max((each.size for each in (result, *sources)), default=0) <= SMALL:
        value = result.load()
        return Array(value.shape, value.dtype, lambda: value)
    return result


def scalar(array: Array) -> float:
    """The only value of an array. Raises NotExpressibleError if there are several."""
    if array.size != 1:
        raise NotExpressibleError("needs a single number where it has several")
    return float(array.small().reshape(()))
