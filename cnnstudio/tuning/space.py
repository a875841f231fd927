"""What a search varies: marked settings of the recipe and of layers, each with a range or a few values."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import Integer, Number, Parameter, parameters, shorten, shown
from cnnstudio.design.edits import replace
from cnnstudio.design.network import Network, Node
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError

Values = Mapping[str, Any]
"""What one trial has: the name of each marked setting, and its value."""

_FIXED = {
    "seed": "the best seed would be mere luck; every trial has the recipe's",
    "validation_share": "trials are compared on the same images, so it is the same for all",
}
_DECADE = 10
"""A range whose ends are so many times apart is searched logarithmically, where nothing else is said."""

_DIGITS = 4
"""Of numbers that are tried: more would mean nothing, and nobody could read them."""

_LISTED = 12
_MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Target:
    """One setting: a field of the recipe, or a parameter of the layer `node_id`."""

    node_id: str | None
    parameter: Parameter

    @property
    def name(self) -> str:
        """`learning_rate`, `conv2d_1.filters`."""
        return self.parameter.name if self.node_id is None else f"{self.node_id}.{self.parameter.name}"

    def check(self, value: Any) -> Any:
        """The value in its own type. Raises SearchError."""
        try:
            return self.parameter.check(value)
        except ParameterError as error:
            raise SearchError(str(error)) from None


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; whole ones in steps."""

    target: Target
    low: float
    high: float
    step: int | None = None
    """None for numbers that are not whole."""
    log: bool = False

    @property
    def count(self) -> float:
        """How many values there are."""
        return math.inf if self.step is None else (self.high - self.low) // self.step + 1

    def values(self) -> Sequence[Any]:
        """All of them, where they can be counted."""
        return () if self.step is None else range(int(self.low), int(self.high) + 1, self.step)

    def at(self, share: float) -> Any:
        """The value at a share of the way from low to high, from 0 to less than 1."""
        if self.log:
            return self.nearest(self.low * (self.high / self.low) ** share)
        if self.step is not None:
            return self.values()[int(share * self.count)]
        return self.nearest(self.low + (self.high - self.low) * share)

    def nearest(self, value: float) -> Any:
        """The number in as many digits as one can read; a whole one where only those are possible."""
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
        return {"parameter": self.target.name, "from": self.low, "to": self.high, **step, "scale": scale}


@dataclass(frozen=True)
class Choices:
    """A few values."""

    target: Target
    choices: tuple[Any, ...]

    @property
    def count(self) -> float:
        """How many values there are."""
        return len(self.choices)

    def values(self) -> Sequence[Any]:
        """All of them."""
        return self.choices

    def at(self, share: float) -> Any:
        """One of them, by a share from 0 to less than 1."""
        return self.choices[int(share * len(self.choices))]

    def __contains__(self, value: Any) -> bool:
        return value in self.choices

    def to_json(self) -> dict[str, Any]:
        values = [self.target.parameter.to_json(value) for value in self.choices]
        return {"parameter": self.target.name, "values": values}


Dimension = Range | Choices


def make_range(target: Target, low: Any, high: Any, step: Any = None, scale: str | None = None) -> Range:
    """The range of a number, checked against what the parameter takes. Raises SearchError."""
    parameter = target.parameter
    if not isinstance(parameter, Integer | Number):
        raise SearchError("only a number has a range; give the values instead, such as 3,5")
    low, high = target.check(low), target.check(high)
    if low >= high:
        raise SearchError(f"a range goes from a lower to a higher number, not from {low:g} to {high:g}")
    log = scale == "log" or (scale is None and step is None and low > 0 and high / low >= _DECADE)
    if log and low <= 0:
        raise SearchError("a logarithmic range begins above 0; say linear, or begin it higher")
    if isinstance(parameter, Number):
        if step is not None:
            raise SearchError("steps are for whole numbers; give the values instead, such as 0.1,0.2,0.3")
        return Range(target, low, high, log=log)
    if step is not None:
        _check_step(step, low, high, log)
    step = step or 1
    return Range(target, low, high - (high - low) % step, step, log)


def _check_step(step: Any, low: int, high: int, log: bool) -> None:
    if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= high - low:
        raise SearchError(f"the step is a whole number from 1 to {high - low:,}, not {shown(step)}")
    if log and step != 1:
        raise SearchError("a logarithmic range has no steps; leave one of the two away")


def make_choices(target: Target, values: Sequence[Any]) -> Choices:
    """A few values, checked against what the parameter takes. Raises SearchError."""
    checked = tuple(dict.fromkeys(target.check(value) for value in values))
    if len(checked) < 2:
        raise SearchError("one value alone varies nothing; give two or more, or a range such as 16..64")
    return Choices(target, checked)


def find_target(network: Network, name: str) -> Target:
    """The setting of that name: a field of the recipe, or LAYER.PARAMETER by the layer's id or name.

    Raises SearchError.
    """
    fields = {parameter.name: parameter for parameter in parameters(Recipe)}
    field = name.strip().replace("-", "_")
    if field in _FIXED:
        raise SearchError(f"this is not searched: {_FIXED[field]}")
    if field in fields:
        return Target(None, fields[field])
    layer, dot, parameter_name = name.strip().rpartition(".")
    if not dot:
        known = ", ".join(field for field in fields if field not in _FIXED)
        raise SearchError(
            f"a recipe has no “{shorten(name)}”; it has {known}, and a layer's parameter is written as in "
            "conv2d_1.filters"
        )
    node = _find_node(network, layer)
    found = {parameter.name: parameter for parameter in parameters(node.layer)}
    if parameter_name not in found:
        known, kind = ", ".join(found) or "none", node.layer.type_name()
        raise SearchError(f"{kind} has no parameter “{shorten(parameter_name)}”; it has {known}")
    return Target(node.id, found[parameter_name])


def _find_node(network: Network, name: str) -> Node:
    if name in network:
        return network.node(name)
    found = [node for node in network.walk() if node.title == name]
    if len(found) == 1:
        return found[0]
    ids = [node.id for node in found or network.walk()]
    listed = ", ".join(ids[:_LISTED]) + (", …" if len(ids) > _LISTED else "")
    if found:
        raise SearchError(f"{len(ids)} layers are called “{shorten(name)}”; say which by its id: {listed}")
    raise SearchError(f"there is no layer “{shorten(name)}”; the layers are {listed or 'none'}")


@dataclass(frozen=True)
class Space:
    """All that is varied. Raises SearchError for a setting that stands in it twice."""

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        for first, second in itertools.combinations(self.names, 2):
            if first == second:
                raise SearchError(f"{first} is varied twice; once is enough")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dimension.target.name for dimension in self.dimensions)

    def read(self, network: Network, recipe: Recipe) -> Values:
        """What the settings are there."""
        return {
            dimension.target.name: getattr(
                recipe if dimension.target.node_id is None else network.node(dimension.target.node_id).layer,
                dimension.target.parameter.name,
            )
            for dimension in self.dimensions
        }

    def applied(self, network: Network, recipe: Recipe, values: Values) -> tuple[Network, Recipe]:
        """Design and recipe with these values. Raises UserError for what a layer or recipe cannot be."""
        for dimension in self.dimensions:
            target, value = dimension.target, values[dimension.target.name]
            if target.node_id is None:
                recipe = recipe.replace(**{target.parameter.name: value})
            else:
                layer = network.node(target.node_id).layer
                layer = dataclasses.replace(layer, **{target.parameter.name: value})
                network = replace(network, target.node_id, layer=layer)
        return network, recipe

    def __contains__(self, values: Values) -> bool:
        return all(values[dimension.target.name] in dimension for dimension in self.dimensions)

    def combinations(self) -> Iterator[Values]:
        """All there are, one after the other; nothing where they are too many to count."""
        if math.prod(dimension.count for dimension in self.dimensions) > _MOST_COMBINATIONS:
            return
        for values in itertools.product(*(dimension.values() for dimension in self.dimensions)):
            yield dict(zip(self.names, values, strict=True))

    def text(self, values: Values) -> Sequence[str]:
        """The values as people read them, in the order of `names`."""
        return [
            dimension.target.parameter.text(values[dimension.target.name]) for dimension in self.dimensions
        ]

    def values_to_json(self, values: Values) -> dict[str, Any]:
        return {
            dimension.target.name: dimension.target.parameter.to_json(values[dimension.target.name])
            for dimension in self.dimensions
        }

    def values_from_json(self, content: Any) -> Values:
        """What `values_to_json` wrote. Raises SearchError or KeyError."""
        return {
            dimension.target.name: dimension.target.check(content[dimension.target.name])
            for dimension in self.dimensions
        }


def usual_space(recipe: Recipe) -> Space:
    """What is varied where nothing is marked: learning rate, weight decay and batch size."""
    size = recipe.batch_size
    sizes = {_within("batch_size", each) for each in (size // 2, size, 2 * size)}
    return Space(
        (
            _around("learning_rate", recipe.learning_rate),
            _around("weight_decay", recipe.weight_decay or 0.001),
            make_choices(_field("batch_size"), sorted(sizes)),
        )
    )


def _around(name: str, value: float) -> Range:
    """From a tenth to the tenfold."""
    low, high = (_within(name, float(f"{value * factor:.4g}")) for factor in (0.1, 10))
    return make_range(_field(name), low, high, scale="log")


def _within(name: str, value: float) -> float:
    """The nearest that the recipe's field takes."""
    parameter = _field(name).parameter
    assert isinstance(parameter, Integer | Number)
    return min(max(value, parameter.minimum), parameter.maximum)


def _field(name: str) -> Target:
    return Target(None, next(parameter for parameter in parameters(Recipe) if parameter.name == name))
