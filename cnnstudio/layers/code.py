"""A call found in source code, as a layer type reads it: `Conv2D(32, (3, 3), activation="relu")`.

A layer type declares the calls that it reads with their signatures (`keras_calls`, `pytorch_calls`) and
turns a call into a layer (`from_keras`, `from_pytorch`). Finding the calls in source code is up to
`interchange`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import Parameter

Signatures = Mapping[str, str]
"""Name of a class or function -> its parameters as in its documentation: `rate, noise_shape=None`."""


class UnsupportedCall(UserError):
    """No layer corresponds to the call. The message has no subject: "needs filters"."""


@dataclass(frozen=True)
class Unknown:
    """A value that is only known at run time; `text` is its expression in the code."""

    text: str = ""


@dataclass(frozen=True)
class Name:
    """Something imported, by its full name: `keras.layers.Conv2D`."""

    path: str

    @property
    def last(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Call:
    """A call of something imported, with the values of its arguments. `line` is its line in the code."""

    path: str
    positional: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


_REQUIRED = Unknown("required")


@lru_cache(maxsize=256)
def parse_signature(arguments: str) -> Mapping[str, Any]:
    """Parameter names in order -> default values; `_REQUIRED` if there is none."""
    function = ast.parse(f"def function({arguments}): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.literal_eval(value) for value in function.args.defaults]
    return dict(zip(names, [_REQUIRED] * (len(names) - len(defaults)) + defaults, strict=True))


class Arguments:
    """The arguments of a call, matched to a signature and completed by its defaults.

    Each read is recorded, so that arguments of the code that no layer has used can be reported
    (`unused_arguments`). `notes` are sentences for the user on what could not be imported exactly.
    Raises UnsupportedCall if there are too many arguments.
    """

    def __init__(self, call: Call, arguments: str, ignored: frozenset[str] = frozenset()) -> None:
        self.call = call
        self.notes: list[str] = []
        self._values = dict(parse_signature(arguments))
        self._read: set[str] = set()
        if len(call.positional) > len(self._values):
            raise UnsupportedCall(f"takes at most {len(self._values)} arguments, not {len(call.positional)}")
        self.given = dict(zip(self._values, call.positional, strict=False))
        self.given |= {name: value for name, value in call.keywords.items() if name not in ignored}

    @property
    def name(self) -> str:
        """The name of the class or function that is called."""
        return self.call.name

    def __contains__(self, name: str) -> bool:
        return name in self._values or name in self.given

    def __getitem__(self, name: str) -> Any:
        """The value of an argument. Raises UnsupportedCall if it is required and missing."""
        self._read.add(name)
        value = self.given[name] if name in self.given else self._values[name]
        if value is _REQUIRED:
            raise UnsupportedCall(f"needs {name}")
        return value

    def known_or(self, name: str, default: Any) -> Any:
        """The value of an argument, or `default`, with a note, if the value is only known at run time."""
        value = self[name]
        if not isinstance(value, Unknown):
            return value
        what = f"“{value.text}”, which is" if value.text else "a value"
        self.notes.append(f"{name} is {what} only known at run time; {default} is used instead")
        return default

    def parameter(self, parameter: Parameter) -> Any:
        """The value for the layer parameter of the same name. Raises UnsupportedCall or ParameterError."""
        value = self.known_or(parameter.name, parameter.default)
        try:
            return parameter.validate(parameter.from_code(value, self.notes.append))
        except ParameterError as error:
            raise ParameterError(f"{parameter.name}: {error}") from None

    def unused_arguments(self) -> list[str]:
        """Arguments that the code sets to something other than the default and that were never read."""
        return [
            name
            for name, value in self.given.items()
            if name not in self._read and not is_same_value(value, self._values.get(name))
        ]

    def values(self) -> dict[str, Any]:
        """All arguments including defaults, for comparing two calls."""
        return {**self._values, **self.given}


def is_same_value(one: Any, other: Any) -> bool:
    """Whether two argument values mean the same: 3 means (3, 3), and a list a tuple; but True is not 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same_value, one, other))
    if isinstance(one, tuple) and isinstance(other, int):
        return all(is_same_value(each, other) for each in one)
    if isinstance(one, int) and isinstance(other, tuple):
        return is_same_value(other, one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and bool(one == other)
