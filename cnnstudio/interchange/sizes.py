"""Sizes of tensors, as code computes with them: `x.size(1) // 2`.

The shape of the images is only found after the code has been read. Such a number is therefore remembered as
what was done with the size of an axis, and is computed when the shape is known.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Unknown

_ROUNDING: Mapping[str, Callable[[float], int]] = {
    "int": int,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
}
_MAXIMUM_STEPS = 8
"""The most that is remembered of what is computed from a size; no listing needs more."""


@dataclass(frozen=True)
class TensorSize(Unknown):
    """The size of a tensor along an axis, and what is computed from it: `x.size(2)`, `int(c / 2)`."""

    axis: int = 0
    steps: tuple[tuple[type[ast.operator] | str, float], ...] = ()
    """(operator, number on its right) or (function that rounds, 0), in order."""

    def then(self, step: type[ast.operator] | str, number: float = 0) -> TensorSize:
        """The size after one more step: an operator with a number on its right, or a function that rounds."""
        return replace(self, steps=(*self.steps, (step, number)))

    def of(self, shape: Shape) -> float | None:
        """The number for images of this shape; None if it cannot be computed, or is the number of images."""
        axis = self.axis % 4
        if not shape.is_image or axis == 0:
            return None
        value: float = shape.dims[axis - 1]
        try:
            for step, number in self.steps:
                if isinstance(step, str):
                    value = _ROUNDING[step](value)
                else:
                    value = folding.fold_binary(step(), value, number)
        except (folding.NotConstant, ArithmeticError):
            return None
        return value

    def is_axis(self, *axes: int) -> bool:
        """Whether this is the size itself, of one of these axes."""
        return not self.steps and self.axis % 4 in axes


def image_sizes() -> tuple[TensorSize, ...]:
    """What `x.size()` gives."""
    return tuple(TensorSize("", axis) for axis in range(4))


def computed(operator: ast.operator, left: Any, right: Any) -> Any:
    """`left operator right` of a size and a number; Unknown for anything else."""
    if isinstance(right, TensorSize) and isinstance(operator, ast.Add | ast.Mult):
        left, right = right, left
    if isinstance(left, TensorSize) and isinstance(right, int | float) and len(left.steps) < _MAXIMUM_STEPS:
        return left.then(type(operator), right)
    return Unknown()


def rounded(function: str, number: Unknown) -> Any:
    """`int(size)` and the like; Unknown for anything else."""
    is_short = isinstance(number, TensorSize) and len(number.steps) < _MAXIMUM_STEPS
    if isinstance(number, TensorSize) and is_short and function in _ROUNDING:
        return number.then(function)
    return Unknown()


def known_size(value: Any, shape: Shape) -> int | None:
    """A number of channels or pixels of the code, for images of this shape; None if it is not known."""
    found = value.of(shape) if isinstance(value, TensorSize) else value
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
