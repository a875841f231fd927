"""What keeps the process alive with PySide6 6.12 on Python 3.11; nothing of it is needed from Python 3.12 on.

WORKAROUND 1: PySide6 returns None from every function without a result, and True from every `emit`, without
incrementing the reference count. That is correct from Python 3.12 on, where these objects are immortal
(PEP 683). On 3.11, each such call lowers the count of None, about 16,000 at startup; it reaches 0 within
minutes, and Python aborts with "none_dealloc: deallocating None".

WORKAROUND 2: an exception that leaves a Python method which Qt calls, such as a paintEvent, gets the name of
the method added to its message. For that, PySide6 takes the exception apart as the object that it always is
from Python 3.12 on. On 3.11, one raised by C code (`1 / 0`, a method of a deleted Qt object) may still be a
class and a text, and the process ends with a segmentation fault in PepException_GetArgs. No report of either
was found in https://bugreports.qt.io/projects/PYSIDE.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache, update_wrapper
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FunctionType, MethodDescriptorType
from typing import Any

from shiboken6 import Shiboken

_HIGH_COUNT = 2**40

_SOURCE = """
def wrap(method):
    def override({parameters}):
        try:
            return method({arguments})
        except BaseException:
            raise
    return override
"""


def apply_workarounds() -> None:
    """Called once, before the first class that inherits from one of Qt's."""
    # Builds with reference tracing store two pointers before the count, so its address would be wrong.
    if sys.version_info >= (3, 12) or hasattr(sys, "getobjects"):
        return
    _pin_singleton_refcounts()
    hook = classmethod(_complete_exceptions)
    Shiboken.Object.__init_subclass__ = hook  # type: ignore[method-assign,assignment]  # the class is written in C


def _pin_singleton_refcounts() -> None:
    """Raises the counts so high that no session can exhaust them."""
    for value in (None, True, False):
        if sys.getrefcount(value) < _HIGH_COUNT:
            ctypes.c_ssize_t.from_address(id(value)).value += _HIGH_COUNT


def _complete_exceptions(kind: type[Shiboken.Object], /, **options: Any) -> None:
    """Wraps the methods of a class that replace those of Qt, so that their exceptions are always objects."""
    super(Shiboken.Object, kind).__init_subclass__(**options)
    for name, value in list(vars(kind).items()):
        if isinstance(value, FunctionType) and _replaces_method_of_qt(kind, name):
            setattr(kind, name, _with_complete_exceptions(value))


def _replaces_method_of_qt(kind: type, name: str) -> bool:
    return any(isinstance(vars(base).get(name), MethodDescriptorType) for base in kind.__mro__[1:])


def _with_complete_exceptions(method: FunctionType) -> FunctionType:
    """The same function, in which Python catches each exception once, which makes an object of it."""
    wrapped = _wrapper(*_signature(method.__code__))(method)
    update_wrapper(wrapped, method)
    wrapped.__defaults__, wrapped.__kwdefaults__ = method.__defaults__, method.__kwdefaults__
    return wrapped


def _signature(code: CodeType) -> tuple[str, str]:
    """(parameters, arguments) of a function that takes the same and hands it on.

    Qt passes as many of a signal's arguments to a method as it takes, so `*args` would not do for all.
    """
    names = list(code.co_varnames)
    positional, names = names[: code.co_argcount], names[code.co_argcount :]
    keywords, names = names[: code.co_kwonlyargcount], names[code.co_kwonlyargcount :]
    rest = [f"*{names.pop(0)}"] if code.co_flags & CO_VARARGS else []
    more = [f"**{names.pop(0)}"] if code.co_flags & CO_VARKEYWORDS else []
    star = ["*"] if keywords and not rest else []
    parameters = [*positional, *rest, *star, *keywords, *more]
    arguments = [*positional, *rest, *(f"{name}={name}" for name in keywords), *more]
    return ", ".join(parameters), ", ".join(arguments)


@cache
def _wrapper(parameters: str, arguments: str) -> Callable[[FunctionType], FunctionType]:
    # Compiled once for all methods with these parameters, of which there are about a hundred.
    names: dict[str, Any] = {}
    source = _SOURCE.format(parameters=parameters, arguments=arguments)
    exec(compile(source, "<methods that Qt calls>", "exec"), names)
    return names["wrap"]  # type: ignore[no-any-return]  # as its source says
