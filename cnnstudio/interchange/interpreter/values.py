"""The values of a program's names during interpretation, besides plain constants and library calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import folding
from cnnstudio.layers.code import Name, Unknown

UNKNOWN = Unknown()
"""A value that is not known, without an expression to show for it."""
YIELDED = "yield"
"""Under this name, which no variable can have, the scope of a generator holds what it has yielded so far."""


@dataclass
class Scope:
    """The names of a module, function or class body; names not found there are looked up in `parent`."""

    names: dict[str, Any] = field(default_factory=dict)
    parent: Scope | None = None
    is_class: bool = False
    """A class body: its names are not visible in the functions inside it, as in Python."""
    elsewhere: dict[str, Scope] = field(default_factory=dict)
    """The names that are declared `global` or `nonlocal`, and the scope that they belong to."""

    def find(self, name: str) -> Any:
        """The value of a name. Raises KeyError."""
        return self.owner_of(name).names[name]

    def owner_of(self, name: str) -> Scope:
        """The scope in which a name has its value. Raises KeyError."""
        scope: Scope | None = self.elsewhere.get(name, self)
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class):
                return scope
            scope = scope.parent
        raise KeyError(name)

    def assign(self, name: str, value: Any) -> None:
        self.elsewhere.get(name, self).names[name] = value

    def module(self) -> Scope:
        """The outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


# The program's functions, classes and objects are compared by identity, as in Python. Comparing by value
# could also run in circles, because an object may refer to itself.
@dataclass(frozen=True, eq=False)
class Function:
    """A function of the program; for a bound method, `owner` is the value of `self`."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    owner: Instance | Class | None = None
    defining_class: Class | None = None
    """For a method, the class that defines it, which `super()` needs."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The defaults of its parameters, which are evaluated where the function is defined."""

    def bound_to(self, owner: Instance | Class, defining_class: Class | None) -> Function:
        return replace(self, owner=owner, defining_class=defining_class)


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the program."""

    node: ast.ClassDef
    scope: Scope
    bases: tuple[Any, ...]
    names: dict[str, Any]

    def find(self, name: str) -> tuple[Any, Class | None]:
        """An attribute of the class or its bases, and the class that defines it; (None, None) if missing."""
        for each in self.lineage():
            if isinstance(each, Class) and name in each.names:
                return each.names[name], each
        return None, None

    def library_base(self) -> str:
        """The full name of the library class it inherits from; empty if there is none."""
        paths = (getattr(each, "path", "") for each in self.lineage() if not isinstance(each, Class))
        return next((str(path) for path in paths if path), "")

    def lineage(self) -> Iterator[Any]:
        """The class and its bases in the order in which they are searched, each class once."""
        # Not by recursion: a listing may have any number of bases, and the same one in any number of places.
        pending: list[Any] = [self]
        seen: set[int] = set()
        while pending:
            each = pending.pop()
            if id(each) not in seen:
                seen.add(id(each))
                yield each
                pending += reversed(each.bases) if isinstance(each, Class) else ()


@dataclass(eq=False)
class Instance:
    """An object of one of the program's classes."""

    kind: Class
    line: int
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BoundMethod:
    """A method of something that is not an object of the program: `model.add`, `x.view`, `layers.append`."""

    owner: Any
    name: str


@dataclass(frozen=True)
class SuperProxy:
    """`super()` in a method."""

    owner: Instance
    defining_class: Class


@dataclass(frozen=True, eq=False)
class Partial:
    """`functools.partial(function, …)`."""

    function: Any
    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]


@dataclass(frozen=True)
class Copies:
    """In a list: `count` elements created by the same expression, evaluated once.

    Keeps `[Block() for _ in range(1000)]` a single element, and shows that the copies are equal.
    """

    value: Any
    count: int


@dataclass(frozen=True)
class ReturnValue:
    """The value of a `return` statement."""

    value: Any


@dataclass(frozen=True)
class Jump:
    """The end of a sequence of statements by `break`, `continue` or `raise`."""

    kind: str
    line: int = 0


Exit = ReturnValue | Jump
"""How statements end that do not run to their last one."""

REST = Unknown("…")
"""In a list: any number of further elements, of which nothing is known."""


def is_known(value: Any) -> bool:
    return not isinstance(value, Unknown)


def is_undefined(value: Any) -> bool:
    """Whether nothing is known of the value, or only what it is called.

    An attribute of something of a library exists only where it is called. An imported name may be anything,
    unless it is that of a class, or comes from a library that the readers know.
    """
    if isinstance(value, Name):
        is_class = value.last[:1].isupper() and not value.last.isupper()
        return not is_class and value.path.partition(".")[0] not in _KNOWN_LIBRARIES
    return isinstance(value, Unknown | BoundMethod)


_KNOWN_LIBRARIES = frozenset({"torch", "keras", "tensorflow", "tf_keras", "builtins", "math"})


def truth(value: Any) -> bool | None:
    """The truth value; None if it is not known. Layers and objects are true."""
    if is_undefined(value):
        return None
    if isinstance(value, list | tuple | dict):
        return None if any(each is REST for each in value) else bool(value)
    if folding.is_constant(value):
        return bool(value)
    empty = getattr(value, "is_empty", None)
    return not empty if isinstance(empty, bool) else True


def is_plain(value: Any) -> bool:
    """Whether this is a plain Python value, with lists and dicts of plain values."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return folding.is_constant(value)


def expand_copies(values: Iterable[Any], clone: Callable[[Any], Any]) -> Iterator[Any]:
    """The values with `Copies` expanded. Raises CodeError if there are more than a design can have."""
    number = 0
    for value in values:
        if isinstance(value, Copies):
            number += value.count
            if number > folding.MAX_LENGTH:
                raise CodeError(TOO_COMPLEX)
            yield value.value
            for _ in range(value.count - 1):
                yield clone(value.value)
        else:
            yield value
