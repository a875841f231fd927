"""The functions of `math` and numpy with which listings compute numbers, as functions of our own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter import folding

_MATH_MODULES = ("math", "numpy", "np")
_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "inf": math.inf}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "fabs": math.fabs,
    "gcd": math.gcd,
    "isqrt": math.isqrt,
    "pow": lambda base, exponent: folding.power(base, exponent),
    "power": lambda base, exponent: folding.power(base, exponent),
    "abs": abs,
    "round": round,
    "prod": lambda values: _product(values),
}


def library_constant(path: str) -> float | None:
    """The value of `math.pi` and the like; None for anything else."""
    module, _, name = path.rpartition(".")
    return _CONSTANTS.get(name) if module in _MATH_MODULES else None


def is_library_function(path: str) -> bool:
    """Whether `call_library` computes it."""
    module, _, name = path.rpartition(".")
    return module in _MATH_MODULES and name in _FUNCTIONS


def call_library(path: str, positional: Sequence[Any]) -> Any:
    """The value of `math.floor(x)` and the like. Raises NotConstant if it is no usual number."""
    module, _, name = path.rpartition(".")
    numbers = [
        each for value in positional for each in (value if isinstance(value, list | tuple) else [value])
    ]
    if len(numbers) > folding.MAX_LENGTH or not all(
        isinstance(number, int | float) and abs(number) <= folding.MAX_INTEGER for number in numbers
    ):
        raise folding.NotConstant
    try:
        value = _FUNCTIONS[name](*positional)
    except (TypeError, ValueError, ArithmeticError):
        raise folding.NotConstant from None
    # numpy rounds to a float; as a size of a layer it means the same.
    number = float(value) if module != "math" and name in ("floor", "ceil") else value
    return folding.small_number(number)


def _product(values: Any) -> Any:
    result: Any = 1
    for value in values if isinstance(values, list | tuple) else [values]:
        result = folding.small_number(result * value)
    return result
