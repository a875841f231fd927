"""No exception leaves a method that Qt calls, as it calls a paintEvent: it is reported, and Qt goes on.

Qt cannot handle Python's exceptions. So PySide6 keeps one until Qt has returned to Python, and meanwhile Qt
goes on and calls other methods. These fail as well, at the first function that they call ("… returned a
result with an exception set"); one that is looked up for the first time is never called any more; and in the
end the exception is raised in whatever Python code had called Qt. On Python 3.11, an exception that is no
object yet, as is usual for those raised by C code, ends the process with a segmentation fault in
PepException_GetArgs. No report of these was found in https://bugreports.qt.io/projects/PYSIDE.

So every method that replaces one of Qt's, in the classes of this program and in pyqtgraph's, becomes an
`Override`. Called from Python, it is the method itself.
"""

from __future__ import annotations

import builtins
import contextlib
import enum
import functools
import sys
import threading
import traceback
from collections.abc import Callable
from types import FunctionType, MethodDescriptorType, MethodType
from typing import Any

from PySide6.QtCore import QObject
from shiboken6 import Shiboken

_DEEPEST = 50
"""How many methods Qt may call within each other. Layouts within layouts need ten. Each takes kilobytes
of the stack, at whose end the process would end."""


def guard_overrides() -> None:
    """Called once, before the first class that inherits from one of Qt's."""
    hook = classmethod(_guard)
    Shiboken.Object.__init_subclass__ = hook  # type: ignore[method-assign,assignment]  # the class is written in C


def _guard(kind: type[Shiboken.Object], /, **options: Any) -> None:
    super(Shiboken.Object, kind).__init_subclass__(**options)
    for name, function in _methods(kind).items():
        if _is_of_qt(kind, name):
            setattr(kind, name, Override(function))


def _methods(kind: type) -> dict[str, FunctionType]:
    """The methods of a class, and those of the classes without Qt that it inherits from before Qt's."""
    found: dict[str, FunctionType] = {}
    seen: set[str] = set()
    for base in kind.__mro__:
        if base is not kind and issubclass(base, Shiboken.Object):
            break
        for name, value in vars(base).items():
            if name not in seen and isinstance(value, FunctionType):
                found[name] = value
            seen.add(name)
    return found


def _is_of_qt(kind: type, name: str) -> bool:
    inherited = (base for base in kind.__mro__[1:] if issubclass(base, Shiboken.Object))
    return any(isinstance(vars(base).get(name), MethodDescriptorType) for base in inherited)


class Override:
    """A method that replaces one of Qt's: the method itself for Python, and one that never fails for Qt."""

    def __init__(self, method: FunctionType) -> None:
        functools.update_wrapper(self, method)
        # From these, PySide6 knows how many of a signal's arguments the method takes.
        self.__code__, self.__defaults__ = method.__code__, method.__defaults__
        self._method = method
        self._for_qt = _without_exceptions(method)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # Python always tells the class. PySide6 does not: it calls the slot of the type, with NULL.
        if owner is None:
            return MethodType(self._for_qt, instance)
        return self._method if instance is None else MethodType(self, instance)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._method(*arguments, **named)


class _Nesting(threading.local):
    """The methods that Qt has called within each other, in the current thread."""

    depth = 0
    is_unwinding = False


_nesting = _Nesting()


def _without_exceptions(method: FunctionType) -> Callable[..., Any]:
    nesting = _nesting

    def called_by_qt(*arguments: Any) -> Any:
        before = nesting.depth
        if nesting.is_unwinding and before:
            # Otherwise, two calls within each call would be 2 ** 50.
            return _empty_result(method)
        nesting.is_unwinding = before == _DEEPEST
        if nesting.is_unwinding:
            _report(RecursionError(f"{method.__qualname__} is called within itself without an end"))
            return _empty_result(method)
        nesting.depth = before + 1
        try:
            return method(*arguments)
        except Exception as error:
            _report(error)
            return _empty_result(method)
        finally:
            nesting.depth = before

    return called_by_qt


def _report(error: Exception) -> None:
    # A painter that lives on in a frame would keep its widget from being painted ever again.
    links: list[BaseException | None] = [error]
    for each in links:
        if each is not None:
            traceback.clear_frames(each.__traceback__)
            links += [other for other in (each.__cause__, each.__context__) if other not in links]
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:
        traceback.print_exc()


def _empty_result(method: FunctionType) -> Any:
    """The empty value of the type that the method is annotated with: 0, False, an invalid QSize.

    None for any other, for which PySide6 puts an empty value itself, if with a warning.
    """
    try:
        first, *others = str(method.__annotations__["return"]).split(".")
        start = vars(builtins).get(first) or method.__globals__[first]
        kind = functools.reduce(getattr, others, start)
    except (LookupError, AttributeError):
        return None
    # An `object` for each role of an item would be a check box, an icon and a text.
    if not isinstance(kind, type) or kind is object or issubclass(kind, QObject):
        return None
    with contextlib.suppress(TypeError, ValueError):
        return kind(0) if issubclass(kind, enum.Enum) else kind()
    return None
