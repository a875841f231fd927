"""Compares what equals only itself: functions, classes and objects of a program, and names of libraries."""

from __future__ import annotations

from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.values import Class, Function, Instance
from cnnstudio.layers.code import Call, Name


def has_identity(value: Any) -> bool:
    """Whether this is something of a program or library that equals only itself."""
    return isinstance(value, Function | Class | Instance | Name)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same, of which one is a function, class or object. Raises NotConstant."""
    if isinstance(one, Name) and isinstance(other, Name):
        return one.path == other.path
    if isinstance(one, Function) and isinstance(other, Function):
        return one.node is other.node and one.owner is other.owner
    if has_identity(one) and has_identity(other):
        return one is other
    if (
        folding.is_constant(one)
        or folding.is_constant(other)
        or isinstance(one, Call)
        or isinstance(other, Call)
    ):
        return False
    raise folding.NotConstant
