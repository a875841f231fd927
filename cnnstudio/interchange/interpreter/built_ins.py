"""The Python built-ins with which listings compute numbers and sizes of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.values import REST, UNKNOWN, Copies, is_known, truth

Elements = Callable[[Any], Sequence[Any] | None]
"""What iterating over a value yields; None if that is not known."""


def _values(elements: Elements, value: Any) -> list[Any]:
    found = elements(value)
    if found is None or len(found) > folding.MAX_LENGTH:
        raise TypeError
    return list(found)


def _length(elements: Elements, value: Any) -> int:
    if isinstance(value, list | tuple):
        if any(each is REST for each in value):
            raise TypeError
        return sum(each.count if isinstance(each, Copies) else 1 for each in value)
    if isinstance(value, str | range | dict):
        return len(value)
    found = elements(value)
    if found is None:
        raise TypeError
    return len(found)


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
    if isinstance(value, str) and len(value) < 20:
        return int(value)
    if not isinstance(value, int | float) or not abs(value) <= folding.MAX_INTEGER:
        raise TypeError
    return int(value)


def _float(elements: Elements, value: Any) -> float:
    if not isinstance(value, int | float) and not (isinstance(value, str) and len(value) < 20):
        raise TypeError
    return float(value)


def _number(function: Callable[..., Any]) -> Any:
    def found(elements: Elements, *values: Any) -> Any:
        if not all(isinstance(value, int | float) for value in values):
            raise TypeError
        return function(*values)

    return found


def _extreme(choose: Any) -> Any:
    def found(elements: Elements, *values: Any) -> Any:
        numbers = _values(elements, values[0]) if len(values) == 1 else list(values)
        if not all(isinstance(number, int | float) for number in numbers):
            raise TypeError
        return choose(numbers)

    return found


def _sum(elements: Elements, values: Any, start: Any = 0) -> Any:
    result = start
    for value in _values(elements, values):
        if isinstance(result, list) and isinstance(value, list):
            result = [*result, *value]
        elif isinstance(value, int | float) and isinstance(result, int | float):
            result += value
        else:
            raise TypeError
        if isinstance(result, list) and len(result) > folding.MAX_LENGTH:
            raise TypeError
    return result


def _sorted(elements: Elements, values: Any) -> list[Any]:
    found = _values(elements, values)
    if not any(all(isinstance(each, kinds) for each in found) for kinds in (int | float, str)):
        raise TypeError
    return sorted(found)


def _some(expected: bool) -> Any:
    """`any` for True, `all` for False: whether some value is as expected."""

    def found(elements: Elements, values: Any) -> bool:
        truths = [truth(value) for value in _values(elements, values)]
        if expected in truths:
            return expected
        if None in truths:
            raise TypeError
        return not expected

    return found


def _list(elements: Elements, *values: Any) -> list[Any]:
    # Without expanding copies.
    if values and isinstance(values[0], list | tuple):
        return list(values[0])
    return _values(elements, values[0]) if values else []


def _dict(elements: Elements, *values: Any, **keywords: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    if values and isinstance(values[0], dict):
        found = dict(values[0])
    elif values:
        for pair in _values(elements, values[0]):
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str | int):
                raise TypeError
            found[pair[0]] = pair[1]
    return {**found, **keywords}


def _bool(elements: Elements, value: Any = False) -> bool:
    known = truth(value)
    if known is None:
        raise TypeError
    return known


def _enumerate(elements: Elements, values: Any, start: int = 0) -> list[Any]:
    return [(start + index, value) for index, value in enumerate(_values(elements, values))]


BUILT_INS: Mapping[str, Callable[..., Any]] = {
    "range": _range,
    "len": _length,
    "list": _list,
    "tuple": lambda elements, *values: tuple(_values(elements, values[0] if values else ())),
    "enumerate": _enumerate,
    "reversed": lambda elements, values: _values(elements, values)[::-1],
    "sorted": _sorted,
    "zip": _zip,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "min": _extreme(min),
    "max": _extreme(max),
    "sum": _sum,
    "any": _some(True),
    "all": _some(False),
    "abs": _number(abs),
    "round": _number(lambda value, digits=None: round(value, digits)),
    "pow": _number(folding.power),
    "divmod": _number(divmod),
    "str": lambda elements, value="": str(value) if isinstance(value, str | int | float) else UNKNOWN,
    "dict": _dict,
}
"""Name -> function of `elements` and the arguments; it raises if the result is not known."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float,),
    "bool": (bool,),
    "str": (str,),
    "list": (list,),
    "tuple": (tuple,),
    "dict": (dict,),
    "range": (range,),
}
"""Name of a type -> the types of the values for which `isinstance` is true."""


def call_built_in(
    name: str, elements: Elements, positional: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    """The value of calling one of BUILT_INS; Unknown if it is not known."""
    if not all(map(is_known, (*positional, *keywords.values()))):
        return UNKNOWN
    given = {key: value for key, value in keywords.items() if (name, key) != ("zip", "strict")}
    try:
        return BUILT_INS[name](elements, *positional, **given)
    except (TypeError, ValueError, ArithmeticError, folding.NotConstant):
        return UNKNOWN
