"""Numbers in place of arguments that a listing never gives, such as the depth of a network.

A network of one block, for a depth that is not known, would be none that anybody trains. What is used instead
is the first number that the listing's own check names or allows, or a usual width. A note always says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_WIDTH = re.compile(
    r"(n|num|nb|base|hidden|init|initial|start|first)?_?"
    r"(channels?|filters|planes|width|hidden|features|fmaps|feature_maps|units)|n?[gd]f|dim"
)
"""Names of arguments that say how many channels or units a layer has."""
_INPUT = re.compile(r"in_?|.*_in|input.*")
_USUAL_WIDTH = 32
_LARGEST = 10_000


def number_for(name: str, node: ast.FunctionDef | ast.Lambda) -> int | None:
    """The number for an argument of a function that is not given; None if nothing tells it."""
    if isinstance(node, ast.Lambda):
        return None
    checked = next((found for each in ast.walk(node) if (found := _passing(name, each))), None)
    if checked is not None:
        return checked
    lower = name.lower()
    return _USUAL_WIDTH if _WIDTH.fullmatch(lower) and not _INPUT.fullmatch(lower) else None


def _passing(name: str, node: ast.AST) -> int | None:
    """The first number that passes `assert (name - 2) % 6 == 0, "such as 20"`; else None."""
    match node:
        case ast.Assert(
            test=ast.Compare(
                left=ast.BinOp(left=subject, op=ast.Mod(), right=ast.Constant(value=int() as divisor)),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value=int() as rest)],
            ),
            msg=message,
        ) if 0 < divisor < _LARGEST:
            offset = _offset(name, subject)
            if offset is None:
                return None
            least = max(offset, 0)
            numbers: list[int] = [*_numbers(message), *range(least + 1, least + divisor + 1)]
            for number in numbers:
                if least < number <= _LARGEST and (number - offset) % divisor == rest:
                    return number
    return None


def _offset(name: str, node: ast.expr) -> int | None:
    """What is subtracted from the argument; None if this is something else."""
    match node:
        case ast.Name(id=found) if found == name:
            return 0
        case ast.BinOp(left=ast.Name(id=found), op=ast.Sub(), right=ast.Constant(value=int() as offset)) if (
            found == name and abs(offset) < _LARGEST
        ):
            return offset
    return None


def _numbers(message: ast.expr | None) -> Iterator[int]:
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        for each in re.finditer(r"\b\d{1,5}\b", message.value[:1_000]):
            yield int(each[0])
