"""Parameters of layers and recipes: dataclass fields that carry their range, unit and help.

    @dataclass(frozen=True)
    class Dropout(Layer):
        rate: float = number(0.5, minimum=0, maximum=0.95, help="share of the values that is set to zero")

The inspector, the file format and the command line read the same description, so a range stands in one place.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import ParameterError

_KEY = "parameter"
# Blanks, control signs, signs that turn the direction of writing, and halves of signs that no file can hold.
_UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True)
class Parameter:
    """One parameter: `name` as in files and code, `label` for people, `help` in half a sentence."""

    name: str
    default: Any
    help: str = ""
    label: str = ""
    unit: str = ""

    def check(self, value: Any) -> Any:
        """The value in its own type. Raises ParameterError, in words that can follow `filters: `."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        return value

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        """A value of Keras code as the parameter has it, not yet checked; `note` takes what gets lost."""
        return value

    def text(self, value: Any) -> str:
        """The value as people read it."""
        return str(value)


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number from `minimum` to `maximum`, both allowed."""

    minimum: int = 1
    maximum: int = 2**31 - 1
    one_for: str = ""
    """What each of them takes a number for, such as `each image`: too many then say what they take."""

    def check(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ParameterError(
                f"a whole number from {self.minimum:,} to {self.maximum:,} is needed, not {shown(value)}"
            )
        if not self.minimum <= value <= self.maximum:
            raise ParameterError(
                f"{shown(value)} is out of range: {self.minimum:,} to {self.maximum:,} is possible"
                f"{self._memory(value)}"
            )
        return value

    def _memory(self, value: int) -> str:
        """Words for what so many would take of the memory, from a gigabyte up."""
        gigabytes = value * 4 // 10**9
        if not self.one_for or not 1 <= gigabytes < 10**9:
            return ""
        return f"; it would take {gigabytes:,} GB for {self.one_for}"


@dataclass(frozen=True)
class Number(Parameter):
    """A finite number from `minimum` to `maximum`, both allowed."""

    minimum: float = 0.0
    maximum: float = 1.0

    def check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ParameterError(
                f"a number from {self.minimum:g} to {self.maximum:g} is needed, not {shown(value)}"
            )
        # A whole number of 400 digits has no float; compare before converting.
        if not self.minimum <= value <= self.maximum:
            raise ParameterError(
                f"{shown(value)} is out of range: {self.minimum:g} to {self.maximum:g} is possible"
            )
        return float(value)

    def text(self, value: Any) -> str:
        return f"{value:g}"


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a few words."""

    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ParameterError(f"{shown(value)} is not possible; one of {', '.join(self.choices)} is")
        return value

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        return value.lower() if isinstance(value, str) else value


@dataclass(frozen=True)
class Flag(Parameter):
    """On or off."""

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ParameterError(f"true or false is needed, not {shown(value)}")
        return value

    def text(self, value: Any) -> str:
        return "on" if value else "off"


@dataclass(frozen=True)
class Pair(Parameter):
    """Height and width. One whole number stands for both, as in Keras; None is possible where `optional`."""

    minimum: int = 1
    maximum: int = 1024
    optional: bool = False
    empty: str = "empty"
    """What None stands for, as people read it."""

    def check(self, value: Any) -> tuple[int, int] | None:
        if value is None and self.optional:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = (value, value)
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ParameterError(f"two whole numbers, height and width, are needed, not {shown(value)}")
        side = Integer(self.name, None, minimum=self.minimum, maximum=self.maximum)
        return side.check(value[0]), side.check(value[1])

    def to_json(self, value: Any) -> Any:
        return None if value is None else list(value)

    def text(self, value: Any) -> str:
        return self.empty if value is None else f"{value[0]} × {value[1]}"


Edges = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right)), as Keras has it."""


@dataclass(frozen=True)
class Sides(Parameter):
    """Top, bottom, left and right. One whole number stands for all, two for rows and columns, as in Keras."""

    minimum: int = 0
    maximum: int = 1024

    def check(self, value: Any) -> Edges:
        pairs = [_both(each) for each in _both(value) or ()]
        if len(pairs) != 2 or None in pairs:
            raise ParameterError(
                f"two pairs of whole numbers, (top, bottom) and (left, right), are needed, not {shown(value)}"
            )
        side = Integer(self.name, None, minimum=self.minimum, maximum=self.maximum)
        (top, bottom), (left, right) = (map(side.check, pair or ()) for pair in pairs)
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
    """Two values as they are, one number as both; None for anything else."""
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
    one_for: str = "",
) -> Any:
    """A dataclass field for a whole number."""
    return _field(Integer("", default, help, label, unit, minimum=minimum, maximum=maximum, one_for=one_for))


def number(
    default: float, *, minimum: float, maximum: float, help: str, label: str = "", unit: str = ""
) -> Any:
    """A dataclass field for a finite number."""
    return _field(Number("", default, help, label, unit, minimum=minimum, maximum=maximum))


def choice(
    default: str, choices: tuple[str, ...], *, help: str, label: str = "", kind: type[Choice] = Choice
) -> Any:
    """A dataclass field for one of a few words; `kind` may be one that reads code in its own way."""
    return _field(kind("", default, help, label, choices=choices))


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
    optional: bool = False,
    empty: str = "empty",
) -> Any:
    """A dataclass field for height and width; `empty` says what None stands for."""
    return _field(Pair("", default, help, label, unit, maximum=maximum, optional=optional, empty=empty))


def sides(default: int, *, maximum: int, help: str, label: str = "", unit: str = "") -> Any:
    """A dataclass field for top, bottom, left and right, all `default` at first."""
    both = default, default
    return _field(Sides("", (both, both), help, label, unit, maximum=maximum))


def _field(parameter: Parameter) -> Any:
    return dataclasses.field(default=parameter.default, metadata={_KEY: parameter})


_DECLARED: dict[type[Any], tuple[Parameter, ...]] = {}


def parameters(owner: Any) -> tuple[Parameter, ...]:
    """The parameters of a layer or of the recipe, of the type or of an instance, as they were declared."""
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


def check_all(instance: Any) -> None:
    """Puts every parameter of a frozen dataclass into its own type; called from `__post_init__`.

    Raises ParameterError that names the parameter.
    """
    for parameter in parameters(instance):
        try:
            value = parameter.check(getattr(instance, parameter.name))
        except ParameterError as error:
            raise ParameterError(f"{parameter.name}: {error}") from None
        object.__setattr__(instance, parameter.name, value)


def values_from_json(owner: type[Any], values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The parameters among `values`, checked; what is missing is left to the defaults.

    Raises ParameterError with the exact place, such as `layers[3].filters: …`, for an unknown name too.
    """
    known = {parameter.name: parameter for parameter in parameters(owner)}
    prefix = f"{place}." if place else ""
    result = {}
    for name, value in values.items():
        if name not in known:
            names = ", ".join(known) or "none"
            raise ParameterError(
                f"{prefix}{shorten(name)}: {owner.__name__} has no such parameter; it has {names}"
            )
        try:
            result[name] = known[name].check(value)
        except ParameterError as error:
            raise ParameterError(f"{prefix}{name}: {error}") from None
    return result


def values_to_json(instance: Any) -> dict[str, Any]:
    """Every parameter of a layer or recipe, JSON-ready."""
    return {
        parameter.name: parameter.to_json(getattr(instance, parameter.name))
        for parameter in parameters(instance)
    }


def shown(value: Any) -> str:
    """A value from outside as a message may show it: short, whatever came."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"“{shorten(value)}”"
    if isinstance(value, int):
        # str() of a whole number refuses more than 4,300 digits.
        return f"{value:,}" if abs(value) < 10**18 else "a number of more than 18 digits"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else "a number that is not finite"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"


def shorten(text: str, limit: int = 40) -> str:
    """The text on one line and fit for any file, cut with an ellipsis at `limit` characters."""
    flat = _UNSEEN.sub(" ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
