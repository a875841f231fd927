"""Constant folding: evaluates operators on constants, but only if the result is small.

Every operation checks the size of its result before computing it, because the operands come from untrusted
code: `9**9**9` or `"a" * 10**12` must not take time or memory.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_INTEGER = 10**18
"""The largest absolute value of a number; no layer parameter comes near it."""
MAX_LENGTH = 10_000
"""The most elements of a list or characters of a string."""

_NUMBERS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: lambda left, right: _whole(left) & _whole(right),
    ast.BitOr: lambda left, right: _whole(left) | _whole(right),
    ast.BitXor: lambda left, right: _whole(left) ^ _whole(right),
    ast.RShift: lambda left, right: _whole(left) >> min(_whole(right), 64),
    ast.LShift: lambda left, right: _whole(left) << _shift(right),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


_MAX_DIGITS = 10**40


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise NotConstant
    return value


def _shift(value: Any) -> int:
    if not 0 <= _whole(value) <= 64:
        raise NotConstant
    return int(value)


class NotConstant(Exception):
    """The result is not known, or too large."""


def is_readable(constant: Any) -> bool:
    """Whether a constant of the code has a reasonable size: an integer may have a million digits."""
    return type(constant) is not int or abs(constant) <= _MAX_DIGITS


def nested_size(value: Any, limit: int) -> int:
    """The number of elements in a list, tuple or dict and in those inside it; more than `limit` at most.

    The same list counts as often as it occurs, so that what is counted can be compared and shown.
    """
    pending, seen = [value], 0
    while pending and seen <= limit:
        each = pending.pop()
        seen += len(each)
        inside = each.values() if isinstance(each, dict) else each
        pending += [inner for inner in inside if isinstance(inner, list | tuple | dict)]
    return seen


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def fold_binary(op: ast.operator, left: Any, right: Any) -> Any:
    """`left op right` for numbers; concatenation and repetition of strings and lists.

    Raises NotConstant for anything else.
    """
    if _is_number(left) and _is_number(right):
        return _arithmetic(op, left, right)
    # By type and not by trying the operator: an operand may be an object of this package, whose methods must
    # not be called on behalf of the listing.
    for kind in (str, list, tuple):
        if isinstance(op, ast.Add) and isinstance(left, kind) and isinstance(right, kind):
            return _concatenate(left, right)
        if isinstance(op, ast.Mult) and isinstance(left, kind) and isinstance(right, int):
            return _repeat(left, right)
        if isinstance(op, ast.Mult) and isinstance(right, kind) and isinstance(left, int):
            return _repeat(right, left)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        return _percent(left, right if isinstance(right, tuple) else (right,))
    raise NotConstant


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    if abs(left) > MAX_INTEGER or abs(right) > MAX_INTEGER:
        raise NotConstant
    try:
        if isinstance(op, ast.Pow):
            return power(left, right)
        if type(op) not in _NUMBERS:
            raise NotConstant
        return small_number(_NUMBERS[type(op)](left, right))
    except (ArithmeticError, ValueError):
        raise NotConstant from None


def power(base: Any, exponent: Any) -> Any:
    """`base ** exponent` for numbers. Raises NotConstant or ArithmeticError."""
    # Checked before computing: a power of integers can have any number of digits. Above 64 every base
    # but 0, 1 and -1 exceeds MAX_INTEGER anyway; up to 64 the result has at most 1,153 digits.
    if isinstance(base, int) and isinstance(exponent, int) and not -64 <= exponent <= 64:
        raise NotConstant
    return small_number(base**exponent)


def small_number(value: Any) -> Any:
    """The value, if it is a number of usual size. Raises NotConstant."""
    # `not … <=` instead of `>`, so that NaN is refused as well. A power may also be complex, which is no
    # number here.
    if not _is_number(value) or not abs(value) <= MAX_INTEGER:
        raise NotConstant
    return value


def _percent(text: str, values: Sequence[Any]) -> str:
    # Without widths and precisions, which could ask for a text of any length.
    plain = re.fullmatch(r"(?:[^%]|%[sdi%])*", text)
    if not plain or not all(isinstance(value, str | int | float) for value in values):
        raise NotConstant
    if any(isinstance(value, int) and abs(value) > MAX_INTEGER for value in values):
        raise NotConstant
    try:
        return short_text(text % tuple(values))
    except (TypeError, ValueError):
        raise NotConstant from None


def short_text(text: str) -> str:
    """The text, if it is not too long. Raises NotConstant."""
    if len(text) > MAX_LENGTH:
        raise NotConstant
    return text


def _concatenate(left: Any, right: Any) -> Any:
    if len(left) + len(right) > MAX_LENGTH:
        raise NotConstant
    return left + right


def _repeat(value: Any, count: int) -> Any:
    # The elements of lists are shared, not copied, so that nested repetition needs no more than this either.
    if len(value) * max(count, 0) > MAX_LENGTH:
        raise NotConstant
    return value * count


def fold_unary(op: ast.unaryop, value: Any) -> Any:
    """`op value` for a number or, with `not`, for any constant. Raises NotConstant."""
    if isinstance(op, ast.Not) and is_constant(value):
        return not value
    if _is_number(value) and isinstance(op, ast.USub | ast.UAdd):
        return -value if isinstance(op, ast.USub) else +value
    raise NotConstant


def fold_comparison(op: ast.cmpop, left: Any, right: Any) -> bool:
    """`left op right` for constants. Raises NotConstant."""
    if isinstance(op, ast.Is | ast.IsNot):
        # `is` is certain only if one side is None, True or False: these are singletons, and no layer is one.
        if not any(each is None or isinstance(each, bool) for each in (left, right)):
            raise NotConstant
        return (left is right) == isinstance(op, ast.Is)
    if isinstance(op, ast.In | ast.NotIn) and isinstance(right, dict):
        return _is_key(left, right) == isinstance(op, ast.In)
    if not is_constant(left) or not is_constant(right):
        raise NotConstant
    if isinstance(right, range) and type(left) is not int:
        raise NotConstant  # Python would compare it with each number of the range
    try:
        if isinstance(op, ast.In | ast.NotIn):
            return (left in right) == isinstance(op, ast.In)
        return _COMPARISONS[type(op)](left, right)
    except (TypeError, KeyError):
        raise NotConstant from None


def _is_key(value: Any, keys: Mapping[Any, Any]) -> bool:
    if not isinstance(value, str | int | float | bool | None):
        raise NotConstant
    return value in keys


def is_constant(value: Any) -> bool:
    """Whether this is a plain Python value, including all its elements, and not too large to check.

    A list may contain itself; the limit ends that too.
    """
    # With a list of its own instead of recursion, for lists that are nested deeper than Python's stack.
    pending, seen = [value], 0
    while pending:
        each = pending.pop()
        seen += 1
        if seen > MAX_LENGTH:
            return False
        if isinstance(each, list | tuple):
            pending += each[: MAX_LENGTH + 1]
        elif each is not None and not isinstance(each, str | int | float | bool | range):
            return False
    return True
