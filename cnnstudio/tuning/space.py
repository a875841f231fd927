"""What a search varies: settings of the recipe and of layers, each over a range or a few values."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import Integer, Number, Parameter, describe_value, parameters, shorten
from cnnstudio.design.edits import replace
from cnnstudio.design.network import Network, Node
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError

Values = Mapping[str, Any]
"""The values of one trial, by the name of the setting."""

_NOT_SEARCHABLE = {
    "seed": "the best seed would only be luck, so all trials use the recipe's",
    "validation_share": "all trials are compared on the same images",
}
_LOG_RATIO = 10
"""A range that spans at least this factor is searched on a logarithmic scale by default."""

_DIGITS = 4
"""Significant digits of proposed numbers. More would make no difference, and be hard to read and retype."""

_MAX_LISTED = 12
_MAX_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Setting:
    """One setting: a field of the recipe, or a parameter of the layer `node_id`."""

    node_id: str | None
    parameter: Parameter

    @property
    def name(self) -> str:
        """`learning_rate`, `conv2d_1.filters`."""
        return self.parameter.name if self.node_id is None else f"{self.node_id}.{self.parameter.name}"

    def validate(self, value: Any) -> Any:
        """The value, converted to the setting's type. Raises SearchError."""
        try:
            return self.parameter.validate(value)
        except ParameterError as error:
            raise SearchError(str(error)) from None


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, inclusive; integers in steps."""

    setting: Setting
    low: float
    high: float
    step: int | None = None
    """None for a continuous range."""
    log: bool = False

    @property
    def count(self) -> float:
        """The number of values; infinite for a continuous range."""
        return math.inf if self.step is None else (self.high - self.low) // self.step + 1

    def values(self) -> Sequence[Any]:
        """All values; empty for a continuous range."""
        return () if self.step is None else range(int(self.low), int(self.high) + 1, self.step)

    def at(self, fraction: float) -> Any:
        """The value at a fraction, in [0, 1), of the way from low to high."""
        if self.log:
            return self.rounded(self.low * (self.high / self.low) ** fraction)
        if self.step is not None:
            return self.values()[int(fraction * self.count)]
        return self.rounded(self.low + (self.high - self.low) * fraction)

    def rounded(self, value: float) -> Any:
        """The value as an integer, or with a readable number of digits, within the range."""
        if self.step is not None:
            return round(value)
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def __contains__(self, value: Any) -> bool:
        if self.step is not None:
            return value in self.values()
        return bool(self.low <= value <= self.high)

    def to_json(self) -> dict[str, Any]:
        step = {} if self.step in (None, 1) else {"step": self.step}
        scale = "log" if self.log else "linear"
        return {"parameter": self.setting.name, "from": self.low, "to": self.high, **step, "scale": scale}


@dataclass(frozen=True)
class Choices:
    """An explicit list of values."""

    setting: Setting
    choices: tuple[Any, ...]

    @property
    def count(self) -> float:
        """The number of values."""
        return len(self.choices)

    def values(self) -> Sequence[Any]:
        """All values."""
        return self.choices

    def at(self, fraction: float) -> Any:
        """The value at a fraction, in [0, 1), of the list."""
        return self.choices[int(fraction * len(self.choices))]

    def __contains__(self, value: Any) -> bool:
        return value in self.choices

    def to_json(self) -> dict[str, Any]:
        values = [self.setting.parameter.to_json(value) for value in self.choices]
        return {"parameter": self.setting.name, "values": values}


Dimension = Range | Choices


def make_range(setting: Setting, low: Any, high: Any, step: Any = None, scale: str | None = None) -> Range:
    """A range, validated against the limits of the parameter. Raises SearchError."""
    parameter = setting.parameter
    if not isinstance(parameter, Integer | Number):
        raise SearchError("only numbers can have a range; list the values instead, such as 3,5")
    low, high = setting.validate(low), setting.validate(high)
    if low >= high:
        raise SearchError(f"a range must go from a lower to a higher number, got {low:g} to {high:g}")
    log = scale == "log" or (scale is None and step is None and low > 0 and high / low >= _LOG_RATIO)
    if log and low <= 0:
        raise SearchError("a logarithmic range must start above 0; use :linear or a higher start")
    if isinstance(parameter, Number):
        if step is not None:
            raise SearchError(
                "only integer ranges can have a step; list the values instead, such as 0.1,0.2,0.3"
            )
        return Range(setting, low, high, log=log)
    if step is not None:
        _validate_step(step, low, high, log)
    step = step or 1
    # Ends at the last value that the steps reach, as Optuna requires.
    return Range(setting, low, high - (high - low) % step, step, log)


def _validate_step(step: Any, low: int, high: int, log: bool) -> None:
    if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= high - low:
        raise SearchError(f"the step must be an integer from 1 to {high - low:,}, got {describe_value(step)}")
    if log and step != 1:
        raise SearchError("a logarithmic range cannot have a step; remove one of the two")


def make_choices(setting: Setting, values: Sequence[Any]) -> Choices:
    """A list of values, validated against the parameter. Raises SearchError."""
    checked = tuple(dict.fromkeys(setting.validate(value) for value in values))
    if len(checked) < 2:
        raise SearchError("a single value varies nothing; list two or more, or a range such as 16..64")
    return Choices(setting, checked)


def find_setting(network: Network, name: str) -> Setting:
    """The setting of that name: a field of the recipe, or LAYER.PARAMETER with the layer's id or name.

    Raises SearchError.
    """
    fields = {parameter.name: parameter for parameter in parameters(Recipe)}
    field = name.strip().replace("-", "_")
    if field in _NOT_SEARCHABLE:
        raise SearchError(f"cannot be searched: {_NOT_SEARCHABLE[field]}")
    if field in fields:
        return Setting(None, fields[field])
    layer, dot, parameter_name = name.strip().rpartition(".")
    if not dot:
        known = ", ".join(field for field in fields if field not in _NOT_SEARCHABLE)
        raise SearchError(
            f"a recipe has no “{shorten(name)}”; its fields are {known}; write a layer's parameter as in "
            "conv2d_1.filters"
        )
    node = _find_node(network, layer)
    found = {parameter.name: parameter for parameter in parameters(node.layer)}
    if parameter_name not in found:
        known = f"its parameters are {', '.join(found)}" if found else "it has no parameters"
        kind = node.layer.type_name()
        raise SearchError(f"{kind} has no parameter “{shorten(parameter_name)}”; {known}")
    return Setting(node.id, found[parameter_name])


def _find_node(network: Network, name: str) -> Node:
    if name in network:
        return network.node(name)
    found = [node for node in network.walk() if node.title == name]
    if len(found) == 1:
        return found[0]
    ids = [node.id for node in found or network.walk()]
    listed = ", ".join(ids[:_MAX_LISTED]) + (", …" if len(ids) > _MAX_LISTED else "")
    if found:
        raise SearchError(f"{len(ids)} layers are named “{shorten(name)}”; choose one by its id: {listed}")
    raise SearchError(f"there is no layer “{shorten(name)}”; the layers are {listed or 'none'}")


@dataclass(frozen=True)
class Space:
    """Everything that is varied. Raises SearchError if a setting occurs twice."""

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        for first, second in itertools.combinations(self.names, 2):
            if first == second:
                raise SearchError(f"{first} is varied twice")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dimension.setting.name for dimension in self.dimensions)

    def values_of(self, network: Network, recipe: Recipe) -> Values:
        """The values of the settings in this network and recipe."""
        return {
            dimension.setting.name: getattr(
                recipe
                if dimension.setting.node_id is None
                else network.node(dimension.setting.node_id).layer,
                dimension.setting.parameter.name,
            )
            for dimension in self.dimensions
        }

    def apply(self, network: Network, recipe: Recipe, values: Values) -> tuple[Network, Recipe]:
        """The network and recipe with these values. Raises UserError if they make an invalid one."""
        for dimension in self.dimensions:
            setting, value = dimension.setting, values[dimension.setting.name]
            if setting.node_id is None:
                recipe = recipe.replace(**{setting.parameter.name: value})
            else:
                layer = network.node(setting.node_id).layer
                layer = dataclasses.replace(layer, **{setting.parameter.name: value})
                network = replace(network, setting.node_id, layer=layer)
        return network, recipe

    def __contains__(self, values: Values) -> bool:
        return all(values[dimension.setting.name] in dimension for dimension in self.dimensions)

    def combinations(self) -> Iterator[Values]:
        """All combinations of values; nothing if there are too many to enumerate."""
        if math.prod(dimension.count for dimension in self.dimensions) > _MAX_COMBINATIONS:
            return
        for values in itertools.product(*(dimension.values() for dimension in self.dimensions)):
            yield dict(zip(self.names, values, strict=True))

    def format_values(self, values: Values) -> Sequence[str]:
        """The values as shown to people, in the order of `names`."""
        return [
            dimension.setting.parameter.text(values[dimension.setting.name]) for dimension in self.dimensions
        ]

    def values_to_json(self, values: Values) -> dict[str, Any]:
        return {
            dimension.setting.name: dimension.setting.parameter.to_json(values[dimension.setting.name])
            for dimension in self.dimensions
        }

    def values_from_json(self, content: Any) -> Values:
        """Reads what `values_to_json` wrote. Raises SearchError or KeyError."""
        return {
            dimension.setting.name: dimension.setting.validate(content[dimension.setting.name])
            for dimension in self.dimensions
        }


def default_space(recipe: Recipe) -> Space:
    """What is varied by default: learning rate, weight decay and batch size."""
    size = recipe.batch_size
    sizes = {_clamp("batch_size", each) for each in (size // 2, size, 2 * size)}
    return Space(
        (
            _range_around("learning_rate", recipe.learning_rate),
            _range_around("weight_decay", recipe.weight_decay or 0.001),
            make_choices(_recipe_setting("batch_size"), sorted(sizes)),
        )
    )


def _range_around(name: str, value: float) -> Range:
    """0.1 to 10 times the value, on a logarithmic scale."""
    low, high = (_clamp(name, float(f"{value * factor:.4g}")) for factor in (0.1, 10))
    return make_range(_recipe_setting(name), low, high, scale="log")


def _clamp(name: str, value: float) -> float:
    """The nearest value that the recipe's field allows."""
    parameter = _recipe_setting(name).parameter
    assert isinstance(parameter, Integer | Number)
    return min(max(value, parameter.minimum), parameter.maximum)


def _recipe_setting(name: str) -> Setting:
    return Setting(None, next(parameter for parameter in parameters(Recipe) if parameter.name == name))
