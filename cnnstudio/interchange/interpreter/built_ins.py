"""The Python built-ins with which listings compute numbers and sizes of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.values import UNKNOWN, Copies

Elements = Callable[[Any], Sequence[Any] | None]
"""What iterating over a value yields; None if that is not known."""


def _values(elements: Elements, value: Any) -> list[Any]:
    found = elements(value)
    if found is None or len(found) > folding.MAX_LENGTH:
        raise TypeError
    return list(found)


def _length(elements: Elements, value: Any) -> int:
    if isinstance(value, list | tuple):
        return sum(each.count if isinstance(each, Copies) else 1 for each in value)
    if isinstance(value, str | range | dict):
        return len(value)
    raise TypeError


def _zip(elements: Elements, *lists: Any) -> list[Any]:
    return [tuple(each) for each in zip(*(_values(elements, values) for values in lists), strict=False)]


def _range(elements: Elements, *bounds: int) -> range:
    if not all(type(bound) is int for bound in bounds):
        raise TypeError
    result = range(*bounds)
    # Raises OverflowError, an ArithmeticError, if the length does not fit into a machine word.
    len(result)
    return result


def _int(elements: Elements, value: Any) -> int:
    if not isinstance(value, int | float) or not abs(value) <= folding.MAX_INTEGER:
        raise TypeError
    return int(value)


def _extreme(choose: Any) -> Any:
    def found(elements: Elements, *values: Any) -> Any:
        numbers = _values(elements, values[0]) if len(values) == 1 else list(values)
        if not all(isinstance(number, int | float) for number in numbers):
            raise TypeError
        return choose(numbers)

    return found


BUILT_INS: Mapping[str, Any] = {
    "range": _range,
    "len": _length,
    "list": lambda elements, *values: (
        list(values[0])
        if values and isinstance(values[0], list | tuple)
        else [*_values(elements, values[0] if values else ())]
    ),
    "tuple": lambda elements, *values: tuple(_values(elements, values[0] if values else ())),
    "enumerate": lambda elements, values, start=0: [
        (start + index, value) for index, value in enumerate(_values(elements, values))
    ],
    "reversed": lambda elements, values: _values(elements, values)[::-1],
    "zip": _zip,
    "int": _int,
    "float": lambda elements, value: float(value) if isinstance(value, int | float) else None,
    "min": _extreme(min),
    "max": _extreme(max),
    "sum": _extreme(sum),
    "abs": lambda elements, value: abs(value) if isinstance(value, int | float) else None,
    "round": lambda elements, value: round(value) if isinstance(value, int | float) else None,
    "str": lambda elements, value: str(value) if isinstance(value, str | int | float) else None,
    "dict": lambda elements, *values: {} if not values else None,
}
"""Name -> function of `elements` and the arguments; it returns None or raises if the result is not known."""


def call_list_method(owner: list[Any], name: str, positional: Sequence[Any]) -> Any:
    """Calls a method of a list, of those with which lists of layers are built; Unknown for any other.

    Raises CodeError if the list would get too long.
    """
    match name, list(positional):
        case "append", [value]:
            owner.append(value)
        case "extend", [list() | tuple() as values]:
            if len(owner) + len(values) > folding.MAX_LENGTH:
                raise CodeError(TOO_COMPLEX)
            owner.extend(values)
        case "insert", [int() as index, value]:
            owner.insert(max(-len(owner), min(index, len(owner))), value)
        case "pop", []:
            return owner.pop() if owner else UNKNOWN
        case "copy", []:
            return list(owner)
        case _:
            return UNKNOWN
    return None
