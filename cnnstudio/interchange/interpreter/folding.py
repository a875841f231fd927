"""Constant folding: evaluates operators on constants, but only if the result is small.

Every operation checks the size of its result before computing it, because the operands come from untrusted
code: `9**9**9` or `"a" * 10**12` must not take time or memory.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
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
    raise NotConstant


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    if abs(left) > MAX_INTEGER or abs(right) > MAX_INTEGER:
        raise NotConstant
    try:
        if isinstance(op, ast.Pow):
            # Checked before computing: a power of integers can have any number of digits. Above 64 every base
            # but 0, 1 and -1 exceeds MAX_INTEGER anyway; up to 64 the result has at most 1,153 digits.
            if isinstance(left, int) and isinstance(right, int) and not 0 <= right <= 64:
                raise NotConstant
            return _small(left**right)
        if type(op) not in _NUMBERS:
            raise NotConstant
        return _small(_NUMBERS[type(op)](left, right))
    except (ArithmeticError, ValueError):
        raise NotConstant from None


def _small(value: Any) -> Any:
    # `not … <=` instead of `>`, so that NaN is refused as well. A power may also be complex, which is no
    # number here.
    if not _is_number(value) or not abs(value) <= MAX_INTEGER:
        raise NotConstant
    return value


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
