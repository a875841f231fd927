"""The methods of lists, dicts and strings with which listings collect layers and read their plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.values import REST, UNKNOWN

CHANGING = frozenset(
    {"append", "extend", "insert", "pop", "update", "setdefault", "clear", "reverse", "remove", "sort"}
)
"""Names of methods that change the object they belong to."""


def call_method(owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Calls a method of a list, dict or string; Unknown if its result is not known.

    Raises CodeError if the list would get too long.
    """
    if isinstance(owner, list):
        return _list_method(owner, name, [*positional, *keywords.values()])
    if isinstance(owner, dict):
        return _dict_method(owner, name, positional, keywords)
    try:
        return _TEXT_METHODS[name](owner, *positional) if name in _TEXT_METHODS else UNKNOWN
    except (TypeError, ValueError, LookupError, folding.NotConstant):
        return UNKNOWN


def _list_method(owner: list[Any], name: str, positional: Sequence[Any]) -> Any:
    match name, list(positional):
        case "append", [value]:
            owner.append(value)
        case "extend", [list() | tuple() | range() as values]:
            if len(owner) + len(values) > folding.MAX_LENGTH:
                raise CodeError(TOO_COMPLEX)
            owner.extend(values)
        case "extend", [_]:
            owner.append(REST)
        case "insert", [int() as index, value]:
            owner.insert(max(-len(owner), min(index, len(owner))), value)
        case "pop", [] | [int()] as indices:
            index = indices[0] if indices else -1
            known = -len(owner) <= index < len(owner) and not any(each is REST for each in owner)
            return owner.pop(index) if known else UNKNOWN
        case "reverse", []:
            owner.reverse()
        case "clear", []:
            owner.clear()
        case "copy", []:
            return list(owner)
        case "sort", [] if _is_sortable(owner):
            owner.sort()
        case "remove", [value] if folding.is_constant(owner) and value in owner:
            owner.remove(value)
        case "index" | "count" as method, [value]:
            if not folding.is_constant(owner) or not folding.is_constant(value):
                return UNKNOWN
            return owner.count(value) if method == "count" or value not in owner else owner.index(value)
        case _:
            if name in CHANGING:
                owner.append(REST)
            return UNKNOWN
    return None


def _is_sortable(values: list[Any]) -> bool:
    return any(all(isinstance(each, kind) for each in values) for kind in (int | float, str))


def _dict_method(
    owner: dict[Any, Any], name: str, positional: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    match name, list(positional):
        case "items", []:
            return list(owner.items())
        case "values", []:
            return list(owner.values())
        case "keys", []:
            return list(owner)
        case "copy", []:
            return dict(owner)
        case "get", [str() | int() as key, *default]:
            return owner.get(key, default[0] if default else None)
        case "pop", [str() | int() as key, *default]:
            return owner.pop(key, default[0] if default else UNKNOWN)
        case "setdefault", [str() | int() as key, *default]:
            return owner.setdefault(key, default[0] if default else None)
        case "update", [] | [dict()] as given:
            owner.update(*given, **keywords)
        case "clear", []:
            owner.clear()
        case _:
            return UNKNOWN
    return None


def _format(text: str, *values: Any) -> str:
    # Only plain places: a width could ask for a text of any length, a field could look into objects.
    parts = text.split("{}")
    if len(parts) != len(values) + 1 or any("{" in part or "}" in part for part in parts):
        numbered = text
        for index, value in enumerate(values):
            numbered = folding.short_text(_replace(numbered, f"{{{index}}}", _plain(value)))
        if "{" in numbered:
            raise folding.NotConstant
        return folding.short_text(numbered)
    shown = [*map(_plain, values), ""]
    return folding.short_text("".join(part + value for part, value in zip(parts, shown, strict=True)))


def _plain(value: Any) -> str:
    if not isinstance(value, str | int | float) or (
        isinstance(value, int) and abs(value) > folding.MAX_INTEGER
    ):
        raise folding.NotConstant
    return str(value)


def _join(text: str, values: Sequence[Any]) -> str:
    if len(values) * (len(text) + 1) > folding.MAX_LENGTH:
        raise folding.NotConstant
    return folding.short_text(text.join(values))


def _replace(text: str, old: str, new: str) -> str:
    if len(text) + (text.count(old) * len(new)) > folding.MAX_LENGTH:
        raise folding.NotConstant
    return text.replace(old, new)


_TEXT_METHODS: Mapping[str, Callable[..., Any]] = {
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "strip": lambda text, *given: text.strip(*given),
    "split": lambda text, *given: text.split(*given),
    "startswith": lambda text, start: text.startswith(start),
    "endswith": lambda text, end: text.endswith(end),
    "isdigit": lambda text: text.isdigit(),
    "replace": _replace,
    "format": _format,
    "join": _join,
}
