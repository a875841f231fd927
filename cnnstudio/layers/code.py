"""A call in somebody's code, as a layer type reads it: `Conv2D(32, (3, 3), activation="relu")`.

A type says which calls it reads, each with its signature (`keras_calls`, `pytorch_calls`), and makes a layer
of what a call gives (`from_keras`, `from_pytorch`). Finding the calls in a text is the work of the readers.
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
"""Name of a class or function -> its arguments as its documentation writes them: `rate, noise_shape=None`."""


class NotDrawable(UserError):
    """A call that no layer can stand for; the message continues its name: "needs filters"."""


@dataclass(frozen=True)
class Unknown:
    """A value that is known only when the program runs; `text` is what the code says for it."""

    text: str = ""


@dataclass(frozen=True)
class Name:
    """Something that the code imports, under its full name: `keras.layers.Conv2D`."""

    path: str

    @property
    def last(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Call:
    """A call of something imported, with the values of its arguments."""

    path: str
    positional: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


_REQUIRED = Unknown("required")


@lru_cache(maxsize=256)
def signature(arguments: str) -> Mapping[str, Any]:
    """The names in their order, each with its default."""
    function = ast.parse(f"def function({arguments}): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.literal_eval(value) for value in function.args.defaults]
    return dict(zip(names, [_REQUIRED] * (len(names) - len(defaults)) + defaults, strict=True))


class Arguments:
    """What a call gives for a signature, with the defaults of what it leaves out.

    It remembers what was asked for: what the code sets and nobody asks for is not in the layer (`left_over`).
    `notes` are sentences on what could not be drawn as it stands.
    """

    def __init__(self, call: Call, arguments: str, ignored: frozenset[str] = frozenset()) -> None:
        self.call = call
        self.notes: list[str] = []
        self._values = dict(signature(arguments))
        self._asked: set[str] = set()
        if len(call.positional) > len(self._values):
            raise NotDrawable(f"takes at most {len(self._values)} arguments, not {len(call.positional)}")
        self.given = dict(zip(self._values, call.positional, strict=False))
        self.given |= {name: value for name, value in call.keywords.items() if name not in ignored}

    @property
    def name(self) -> str:
        """What is called."""
        return self.call.name

    def __contains__(self, name: str) -> bool:
        return name in self._values or name in self.given

    def __getitem__(self, name: str) -> Any:
        """The value of that argument. Raises NotDrawable where it is needed and not there."""
        self._asked.add(name)
        value = self.given[name] if name in self.given else self._values[name]
        if value is _REQUIRED:
            raise NotDrawable(f"needs {name}")
        return value

    def known(self, name: str, instead: Any) -> Any:
        """The same, or `instead`, with a note, for a value that only the running program knows."""
        value = self[name]
        if not isinstance(value, Unknown):
            return value
        what = f"“{value.text}”, which" if value.text else "what"
        self.notes.append(f"{name} is {what} only the running program knows: {instead} is drawn")
        return instead

    def parameter(self, parameter: Parameter) -> Any:
        """The value for a parameter of the same name. Raises ParameterError."""
        value = self.known(parameter.name, parameter.default)
        try:
            return parameter.check(parameter.from_code(value, self.notes.append))
        except ParameterError as error:
            raise ParameterError(f"{parameter.name}: {error}") from None

    def left_over(self) -> list[str]:
        """Arguments to which the code gives another value than the default, and that nobody asked for."""
        return [
            name
            for name, value in self.given.items()
            if name not in self._asked and not same(value, self._values.get(name))
        ]

    def values(self) -> dict[str, Any]:
        """All arguments, defaults included, for comparing two calls."""
        return {**self._values, **self.given}


def same(one: Any, other: Any) -> bool:
    """Whether two values of arguments mean the same: 3 is (3, 3), a list is a tuple, True is not 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, tuple) and isinstance(other, int):
        return all(same(each, other) for each in one)
    if isinstance(one, int) and isinstance(other, tuple):
        return same(other, one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and bool(one == other)
