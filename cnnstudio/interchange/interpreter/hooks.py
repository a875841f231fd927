"""What the readers of the libraries say to the interpreter: what names, calls and operations mean.

Each has a default here, for code of which nothing is known.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.values import UNKNOWN, BoundMethod, Function, Instance, Scope
from cnnstudio.layers.code import Call, Unknown


class Hooks:
    """Overridden by readers."""

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        """The value of a definition of a known helper; None for any other definition."""
        return None

    def creates_layers(self, function: Any) -> bool:
        """Whether calling this value adds to the network, or may do so."""
        return False

    def on_augment(self, old: Any, new: Any) -> None:
        """Called for `x += …`, which changes the very object if it is a tensor."""

    def on_unpack(self, value: Any, count: int) -> Sequence[Any] | None:
        """What so many names get from a value that is no list; None if that is not known."""
        return None

    def on_assign_item(self, owner: Any, index: Any, value: Any, line: int) -> None:
        """Called for `owner[index] = value` if `owner` is not a list or dict."""

    def on_assign_attribute(self, owner: Any, name: str, value: Any, line: int) -> None:
        """Called for `owner.name = value` if `owner` is not an object of the program."""

    def on_name(self, name: str) -> Any:
        """The value of a name that the program does not define."""
        return Unknown(name)

    def on_call(self, call: Call, direct: bool) -> Any:
        """The value of a call of something imported.

        `direct`: the first argument is itself a call or operation, as in `relu(a + b)`.
        """
        return call

    def on_apply(self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int,
                 direct: bool) -> Any:  # fmt: skip  # two lines are easier to read than nine
        """The value of calling anything else, such as a layer object."""
        return UNKNOWN

    def on_method(self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any],
                  line: int) -> Any:  # fmt: skip  # as above
        """The value of calling a method of such a value."""
        return UNKNOWN

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        """The value of an operation on values that are not constants."""
        return UNKNOWN

    def on_unary(self, operator: ast.unaryop, value: Any, line: int) -> Any:
        """The same for an operator with one operand. Raises NotConstant."""
        raise folding.NotConstant

    def on_attribute(self, owner: Any, name: str) -> Any:
        """The value of an attribute of something that is not an object of the program.

        Also of one of its objects, if neither the object nor its classes in the program have it.
        """
        return BoundMethod(owner, name)

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        """The value of calling something that is not known, with these arguments."""
        return UNKNOWN

    def on_element(self, value: Any) -> Any:
        """One of the values that iterating over something yields whose length is not known."""
        return UNKNOWN

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        """`owner[index]` for something that is not a list or dict of the program."""
        return UNKNOWN

    def on_missing_arguments(self, function: Function, names: Sequence[str], line: int) -> Mapping[str, Any]:
        """Called when a function of the program lacks some of its arguments: what is used in their place."""
        return {}

    def on_rounding(self, function: str, number: Unknown) -> Any:
        """`int(number)`, `math.ceil(number)` and the like, for a number that is not known."""
        return UNKNOWN

    def clone(self, value: Any) -> Any:
        """Another value like this one, as evaluating the same expression again gives."""
        return replace(value) if isinstance(value, Call) else value

    def on_isinstance(self, value: Any, path: str) -> bool | None:
        """Whether a value is an object of a library's class; None if that is not known."""
        return None

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        """Called after an attribute of an object was set."""

    def on_instance(self, instance: Instance) -> None:
        """Called after an object of one of the program's classes was created."""

    def on_library_init(self, instance: Instance, positional: Sequence[Any], keywords: Mapping[str, Any],
                        line: int) -> None:  # fmt: skip  # as above
        """Called for `__init__` of a library's base class, with its arguments."""
