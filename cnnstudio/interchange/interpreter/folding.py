"""Arithmetic on constants, as code that is read does it: only where the result is small whatever comes in."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

LARGEST = 10**18
"""Whole numbers beyond it are not made; no parameter of a layer comes near."""
LONGEST = 10_000
"""Elements or characters of what is put together."""

_NUMBERS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class NotConstant(Exception):
    """What comes out is not known, or too large to be made."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def binary(sign: ast.operator, left: Any, right: Any) -> Any:
    """`left sign right` for numbers, and for texts and lists where that puts them together."""
    if _is_number(left) and _is_number(right):
        return _arithmetic(sign, left, right)
    for kind in (str, list, tuple):
        if isinstance(sign, ast.Add) and isinstance(left, kind) and isinstance(right, kind):
            return _joined(left, right)
        if isinstance(sign, ast.Mult) and isinstance(left, kind) and isinstance(right, int):
            return _times(left, right)
        if isinstance(sign, ast.Mult) and isinstance(right, kind) and isinstance(left, int):
            return _times(right, left)
    raise NotConstant


def _arithmetic(sign: ast.operator, left: Any, right: Any) -> Any:
    if abs(left) > LARGEST or abs(right) > LARGEST:
        raise NotConstant
    try:
        if isinstance(sign, ast.Pow):
            # The power of a whole number is checked before it is made.
            if isinstance(left, int) and isinstance(right, int) and not 0 <= right <= 64:
                raise NotConstant
            return _small(left**right)
        if type(sign) not in _NUMBERS:
            raise NotConstant
        return _small(_NUMBERS[type(sign)](left, right))
    except (ArithmeticError, ValueError):
        raise NotConstant from None


def _small(value: Any) -> Any:
    if not _is_number(value) or not abs(value) <= LARGEST:
        raise NotConstant
    return value


def _joined(left: Any, right: Any) -> Any:
    if len(left) + len(right) > LONGEST:
        raise NotConstant
    return left + right


def _times(value: Any, count: int) -> Any:
    if len(value) * max(count, 0) > LONGEST:
        raise NotConstant
    return value * count


def unary(sign: ast.unaryop, value: Any) -> Any:
    """`sign value` for a number or, with `not`, for any constant."""
    if isinstance(sign, ast.Not) and is_constant(value):
        return not value
    if _is_number(value) and isinstance(sign, ast.USub | ast.UAdd):
        return -value if isinstance(sign, ast.USub) else +value
    raise NotConstant


def compare(sign: ast.cmpop, left: Any, right: Any) -> bool:
    """`left sign right` for constants."""
    if isinstance(sign, ast.Is | ast.IsNot):
        # Only None, True and False are the same wherever they stand; a layer is never one of them.
        if not any(each is None or isinstance(each, bool) for each in (left, right)):
            raise NotConstant
        return (left is right) == isinstance(sign, ast.Is)
    if not is_constant(left) or not is_constant(right):
        raise NotConstant
    try:
        if isinstance(sign, ast.In | ast.NotIn):
            return (left in right) == isinstance(sign, ast.In)
        return _COMPARISONS[type(sign)](left, right)
    except (TypeError, KeyError):
        raise NotConstant from None


def is_constant(value: Any) -> bool:
    """Whether this is a plain value of Python, through and through, and small enough to look through."""
    left, seen = [value], 0
    while left:
        each = left.pop()
        seen += 1
        if seen > LONGEST:
            return False
        if isinstance(each, list | tuple):
            left += each[: LONGEST + 1]
        elif each is not None and not isinstance(each, str | int | float | bool | range):
            return False
    return True
