"""Example layers of every type that the catalog finds, with inputs: new types are tested automatically."""

from __future__ import annotations

import random
from typing import Any

from cnnstudio.core.parameters import Choice, Flag, Integer, Number, Pair, Parameter, Sides, parameters
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_types

TYPES = list(layer_types().values())
PLAIN_TYPES = [kind for kind in TYPES if not issubclass(kind, Group)]
GROUP_TYPES = [kind for kind in TYPES if issubclass(kind, Group)]

SHAPES = [Shape.of(*dims) for dims in [(3, 8, 8), (1, 7, 9), (8, 5, 2), (2, 1, 1), (12,), (1,)]]
"""Even and odd, one channel, narrow, a single pixel, flat."""


def some_values(parameter: Parameter) -> list[Any]:
    """A few values from the parameter's range, small enough to be built."""
    match parameter:
        case Integer():
            return [value for value in (1, 2, 6) if parameter.minimum <= value <= parameter.maximum]
        case Number():
            span = parameter.maximum - parameter.minimum
            return [parameter.minimum, parameter.minimum + span / 3.1, parameter.maximum]
        case Choice():
            return list(parameter.choices)
        case Flag():
            return [True, False]
        case Pair():
            return [(1, 1), (2, 3), (3, 2), *([None] if parameter.optional else [])]
        case Sides():
            return [((0, 0), (0, 0)), ((1, 1), (2, 2)), ((0, 1), (2, 3))]
    raise AssertionError(f"unknown kind of parameter: {parameter}")


def examples(kind: type[Layer]) -> list[Layer]:
    """The defaults, each parameter changed alone, and a dozen random combinations; always the same ones."""
    known = parameters(kind)
    chosen = [kind()]
    chosen += [kind(**{each.name: value}) for each in known for value in some_values(each)]
    mixer = random.Random(kind.type_name())
    chosen += [kind(**{each.name: mixer.choice(some_values(each)) for each in known}) for _ in range(12)]
    return list(dict.fromkeys(chosen))


def taken(layer: Layer) -> list[Shape]:
    """The shapes of `SHAPES` that the layer accepts."""

    def is_accepted(shape: Shape) -> bool:
        try:
            return bool(layer.output_shape(shape))
        except ShapeError:
            return False

    return list(filter(is_accepted, SHAPES))


LAYERS = [layer for kind in PLAIN_TYPES for layer in examples(kind) if taken(layer)]
"""Examples of every type that is not a group."""
