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
_USUAL_CARDINALITY = 8
_USUAL_BLOCKS = 3
"""In each stage of a residual network for small images: 3 give the ResNet of depth 20."""
_LARGEST = 10_000


def number_for(name: str, node: ast.FunctionDef | ast.Lambda) -> int | None:
    """The number for an argument of a function that is not given; None if nothing tells it."""
    if isinstance(node, ast.Lambda):
        return None
    for find in (_passing, _of_stages):
        found = next((number for each in ast.walk(node) if (number := find(name, each))), None)
        if found is not None:
            return found
    lower = name.lower()
    if lower == "cardinality":
        return _USUAL_CARDINALITY
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
            usual = offset + _USUAL_BLOCKS * divisor + rest
            numbers: list[int] = [*_numbers(message), usual]
            for number in numbers:
                if max(offset, 0) < number <= _LARGEST and (number - offset) % divisor == rest:
                    return number
    return None


def _of_stages(name: str, node: ast.AST) -> int | None:
    """The number for which `(name - 2) // 6`, the blocks of a stage, is the usual one."""
    match node:
        case ast.BinOp(
            left=ast.BinOp(op=ast.Sub()) as subject,
            op=ast.FloorDiv() | ast.Div(),
            right=ast.Constant(value=int() as divisor),
        ) if 0 < divisor < _LARGEST:
            offset = _offset(name, subject)
            return None if offset is None else offset + _USUAL_BLOCKS * divisor
    return None


def _offset(name: str, node: ast.expr) -> int | None:
    """What is subtracted from the argument; None if this is something else."""
    subtracted = 0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.right, ast.Constant):
        value = node.right.value
        if not isinstance(value, int) or abs(value) > _LARGEST:
            return None
        node, subtracted = node.left, value
    # `self.depth` is what the constructor was given as `depth`.
    found = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return subtracted if found == name else None


def _numbers(message: ast.expr | None) -> Iterator[int]:
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        for each in re.finditer(r"\b\d{1,5}\b", message.value[:1_000]):
            yield int(each[0])
