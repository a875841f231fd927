"""What names of a program stand for while it is read, besides plain constants and calls of libraries."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter import folding
from cnnstudio.layers.code import Unknown

NOTHING = Unknown()
"""What is not known, and of which the code says nothing either."""
TOO_MUCH = "the code does too much to be followed: a listing of a network is needed, with short loops"


@dataclass
class Scope:
    """Names of a module, a function or a class body; `parent` is where else to look."""

    names: dict[str, Any] = field(default_factory=dict)
    parent: Scope | None = None

    def find(self, name: str) -> Any:
        """What the name stands for. Raises KeyError."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        raise KeyError(name)


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the program; `owner` is what `self` is in a method."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    owner: Instance | None = None
    home: Class | None = None
    """The class that a method stands in, for `super()`."""


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the program."""

    node: ast.ClassDef
    scope: Scope
    bases: tuple[Any, ...]
    names: Mapping[str, Any]

    def find(self, name: str) -> tuple[Any, Class | None]:
        """An attribute of the class or of what it comes from, and the class where it stands."""
        if name in self.names:
            return self.names[name], self
        for base in self.bases:
            if isinstance(base, Class):
                value, home = base.find(name)
                if value is not None:
                    return value, home
        return None, None

    def library_base(self) -> str:
        """The full name of the library's class that it comes from; empty where there is none."""
        for base in self.bases:
            path = base.library_base() if isinstance(base, Class) else getattr(base, "path", "")
            if path:
                return str(path)
        return ""


@dataclass(eq=False)
class Instance:
    """An object of a class of the program."""

    kind: Class
    line: int
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """A method of a value that is no object of the program: `model.add`, `x.view`, `layers.append`."""

    owner: Any
    name: str


@dataclass(frozen=True)
class Super:
    """`super()` in a method."""

    owner: Instance
    home: Class


@dataclass(frozen=True)
class Copies:
    """In a list: so many elements that were made in the same way."""

    value: Any
    count: int


@dataclass(frozen=True)
class Returned:
    """What a `return` gives."""

    value: Any


def is_known(value: Any) -> bool:
    return not isinstance(value, Unknown)


def truth(value: Any) -> bool:
    """Whether a value that is known counts as true; layers and objects do."""
    return bool(value) if folding.is_constant(value) or isinstance(value, dict) else True


def expanded(values: Iterable[Any]) -> Iterator[Any]:
    """The values with `Copies` written out; no list of layers is longer than a design may be."""
    for value in values:
        if isinstance(value, Copies):
            if value.count > folding.LONGEST:
                raise CodeError(TOO_MUCH)
            yield from [value.value] * value.count
        else:
            yield value
