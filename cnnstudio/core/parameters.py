"""Parameters of layers and recipes: dataclass fields that declare their range, unit and help text.

    @dataclass(frozen=True)
    class Dropout(Layer):
        rate: float = number(0.5, minimum=0, maximum=0.95, help="fraction of the values set to zero")

The inspector, the file format and the command line all read this declaration, so a range is written once.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.numbers import parse_number

_KEY = "parameter"
# Whitespace, control characters, bidirectional overrides (which could make a message read differently from
# what it says) and lone surrogates (which cannot be encoded as UTF-8).
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True)
class Parameter:
    """One parameter: `name` as in files and code, `label` for people, `help` as a short phrase."""

    name: str
    default: Any
    help: str = ""
    label: str = ""
    unit: str = ""
    is_rare: bool = False
    """Whether few networks need it: forms show it only on demand."""
    is_recent: bool = field(default=False, kw_only=True)
    """Whether earlier versions do not know it, so that it is written only with another value than usual."""

    def validate(self, value: Any) -> Any:
        """The value, converted to the parameter's type.

        Raises ParameterError if it is not valid. The message has no subject, so that callers can prefix it
        with a location: `layers[3].filters: must be between 1 and 9, got 0`.
        """
        raise NotImplementedError

    def from_text(self, text: str) -> Any:
        """The value that a person typed. Raises ParameterError if it is not valid."""
        return self.validate(text)

    def to_json(self, value: Any) -> Any:
        """The value in a form that JSON can hold; `validate` reads it back."""
        return value

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        """Converts a value found in Keras code, unvalidated; `note` is told what the conversion loses."""
        return value

    def text(self, value: Any) -> str:
        """The value as shown to people."""
        return str(value)


@dataclass(frozen=True)
class Integer(Parameter):
    """An integer from `minimum` to `maximum`, inclusive."""

    minimum: int = 1
    maximum: int = 2**31 - 1
    one_value_per: str = ""
    """If each unit takes one float32 per something, what that is, such as `each image`; for the message."""

    def validate(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ParameterError(
                f"must be an integer from {self.minimum:,} to {self.maximum:,}, got {describe_value(value)}"
            )
        if not self.minimum <= value <= self.maximum:
            raise ParameterError(
                f"must be between {self.minimum:,} and {self.maximum:,}, got {describe_value(value)}"
                f"{self._memory_note(value)}"
            )
        return value

    def from_text(self, text: str) -> int:
        number = parse_number(text, whole=True)
        return self.validate(text if number is None else number)

    def _memory_note(self, value: int) -> str:
        """The memory that so many values would take; empty below one gigabyte."""
        gigabytes = value * 4 // 10**9
        if not self.one_value_per or not 1 <= gigabytes < 10**9:
            return ""
        return f"; that would take {gigabytes:,} GB for {self.one_value_per}"


@dataclass(frozen=True)
class Number(Parameter):
    """A finite number from `minimum` to `maximum`, inclusive."""

    minimum: float = 0.0
    maximum: float = 1.0

    def validate(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ParameterError(
                f"must be a number from {self.minimum:g} to {self.maximum:g}, got {describe_value(value)}"
            )
        # An integer with 400 digits does not fit into a float, so compare before converting. NaN compares
        # false with everything and is refused here too.
        if not self.minimum <= value <= self.maximum:
            raise ParameterError(
                f"must be between {self.minimum:g} and {self.maximum:g}, got {describe_value(value)}"
            )
        return float(value)

    def from_text(self, text: str) -> float:
        number = parse_number(text)
        return self.validate(text if number is None else number)

    def text(self, value: Any) -> str:
        return f"{value:g}"


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a fixed set of strings."""

    choices: tuple[str, ...] = ()

    def validate(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ParameterError(f"{describe_value(value)} is not valid; choose {_one_of(self.choices)}")
        return value

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        return value.lower() if isinstance(value, str) else value


@dataclass(frozen=True)
class Flag(Parameter):
    """On or off."""

    def validate(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ParameterError(f"must be true or false, got {describe_value(value)}")
        return value

    def text(self, value: Any) -> str:
        return "on" if value else "off"


@dataclass(frozen=True)
class Pair(Parameter):
    """Height and width. A single integer is used for both, as in Keras; None is allowed if `optional`."""

    minimum: int = 1
    maximum: int = 1024
    optional: bool = False
    empty: str = "empty"
    """How None is shown to people."""

    def validate(self, value: Any) -> tuple[int, int] | None:
        if value is None and self.optional:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = (value, value)
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ParameterError(f"must be two integers (height, width), got {describe_value(value)}")
        side = Integer(self.name, None, minimum=self.minimum, maximum=self.maximum)
        return side.validate(value[0]), side.validate(value[1])

    def to_json(self, value: Any) -> Any:
        return None if value is None else list(value)

    def text(self, value: Any) -> str:
        return self.empty if value is None else f"{value[0]} × {value[1]}"


Edges = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right)), as in Keras."""


@dataclass(frozen=True)
class Sides(Parameter):
    """Top, bottom, left and right. One integer is used for all, two for rows and columns, as in Keras."""

    minimum: int = 0
    maximum: int = 1024

    def validate(self, value: Any) -> Edges:
        pairs = [_both(each) for each in _both(value) or ()]
        if len(pairs) != 2 or None in pairs:
            raise ParameterError(
                f"must be two pairs of integers, (top, bottom) and (left, right), got {describe_value(value)}"
            )
        side = Integer(self.name, None, minimum=self.minimum, maximum=self.maximum)
        (top, bottom), (left, right) = (map(side.validate, pair or ()) for pair in pairs)
        return (top, bottom), (left, right)

    def to_json(self, value: Any) -> Any:
        return [list(pair) for pair in value]

    def text(self, value: Any) -> str:
        (top, bottom), (left, right) = value
        if top == bottom == left == right:
            return f"{top} on each side"
        if top == bottom and left == right:
            return f"{top} above and below, {left} left and right"
        return f"{top} above, {bottom} below, {left} left, {right} right"


def _both(value: Any) -> Sequence[Any] | None:
    """A pair as it is, a single integer twice; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    return value if isinstance(value, list | tuple) and len(value) == 2 else None


def integer(
    default: int,
    *,
    minimum: int = 1,
    maximum: int,
    help: str,
    label: str = "",
    unit: str = "",
    rare: bool = False,
    one_value_per: str = "",
) -> Any:
    """A dataclass field for an integer."""
    return _field(
        Integer(
            *("", default, help, label, unit, rare),
            minimum=minimum,
            maximum=maximum,
            one_value_per=one_value_per,
        )
    )


def number(
    default: float,
    *,
    minimum: float,
    maximum: float,
    help: str,
    label: str = "",
    unit: str = "",
    rare: bool = False,
) -> Any:
    """A dataclass field for a finite number."""
    return _field(Number("", default, help, label, unit, rare, minimum=minimum, maximum=maximum))


def choice(
    default: str,
    choices: tuple[str, ...],
    *,
    help: str,
    label: str = "",
    rare: bool = False,
    recent: bool = False,
    kind: type[Choice] = Choice,
) -> Any:
    """A dataclass field for one of a fixed set of strings; a `kind` may convert code in its own way."""
    return _field(kind("", default, help, label, is_rare=rare, is_recent=recent, choices=choices))


def flag(default: bool, *, help: str, label: str = "") -> Any:
    """A dataclass field for on or off."""
    return _field(Flag("", default, help, label))


def pair(
    default: tuple[int, int] | None,
    *,
    maximum: int,
    help: str,
    label: str = "",
    unit: str = "",
    rare: bool = False,
    optional: bool = False,
    empty: str = "empty",
) -> Any:
    """A dataclass field for height and width; `empty` says how None is shown."""
    return _field(Pair("", default, help, label, unit, rare, maximum=maximum, optional=optional, empty=empty))


def sides(default: int, *, maximum: int, help: str, label: str = "", unit: str = "") -> Any:
    """A dataclass field for top, bottom, left and right; all four default to `default`."""
    both = default, default
    return _field(Sides("", (both, both), help, label, unit, maximum=maximum))


def _field(parameter: Parameter) -> Any:
    return dataclasses.field(default=parameter.default, metadata={_KEY: parameter})


_DECLARED: dict[type[Any], tuple[Parameter, ...]] = {}


def parameters(owner: Any) -> tuple[Parameter, ...]:
    """The parameters of a layer or recipe, in the order of declaration; takes the type or an instance."""
    kind = owner if isinstance(owner, type) else type(owner)
    if kind not in _DECLARED:
        _DECLARED[kind] = tuple(
            _declared(field) for field in dataclasses.fields(kind) if _KEY in field.metadata
        )
    return _DECLARED[kind]


def _declared(field: dataclasses.Field[Any]) -> Parameter:
    parameter: Parameter = field.metadata[_KEY]
    label = parameter.label or field.name.replace("_", " ").capitalize()
    return dataclasses.replace(parameter, name=field.name, label=label)


def validate_parameters(instance: Any) -> None:
    """Validates and converts every parameter of a frozen dataclass; called from `__post_init__`.

    Raises ParameterError, which names the parameter.
    """
    for parameter in parameters(instance):
        try:
            value = parameter.validate(getattr(instance, parameter.name))
        except ParameterError as error:
            raise ParameterError(f"{parameter.name}: {error}") from None
        object.__setattr__(instance, parameter.name, value)


def values_from_json(owner: type[Any], values: Mapping[str, Any], location: str = "") -> dict[str, Any]:
    """The validated parameters of `owner` in `values`; a missing one is left to its default.

    Raises ParameterError for an unknown name or an invalid value, with its location: `layers[3].filters: …`.
    """
    known = {parameter.name: parameter for parameter in parameters(owner)}
    prefix = f"{location}." if location else ""
    result = {}
    for name, value in values.items():
        if name not in known:
            known_names = f"no such parameter; it has {', '.join(known)}" if known else "no parameters"
            raise ParameterError(f"{prefix}{shorten(name)}: {owner.__name__} has {known_names}")
        try:
            result[name] = known[name].validate(value)
        except ParameterError as error:
            raise ParameterError(f"{prefix}{name}: {error}") from None
    return result


def values_to_json(instance: Any) -> dict[str, Any]:
    """The parameters of a layer or recipe by name, ready for JSON; recent ones unless they are as usual."""
    values = ((parameter, getattr(instance, parameter.name)) for parameter in parameters(instance))
    return {
        parameter.name: parameter.to_json(value)
        for parameter, value in values
        if not (parameter.is_recent and value == parameter.default)
    }


def describe_value(value: Any) -> str:
    """A value for an error message: short and printable, whatever the user or a file supplied."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"“{shorten(value)}”"
    if isinstance(value, int):
        # str() of an int raises ValueError beyond 4,300 digits.
        return f"{value:,}" if abs(value) < 10**18 else "a number with more than 18 digits"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return f"{value:.15g}" if math.isfinite(value) else "infinity" if value > 0 else "-infinity"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else f"a value of type {type(value).__name__}"


def _one_of(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shorten(text: str, limit: int = 40) -> str:
    """The text on one line, printable and valid UTF-8, cut with an ellipsis at `limit` characters."""
    flat = _UNPRINTABLE.sub(" ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
