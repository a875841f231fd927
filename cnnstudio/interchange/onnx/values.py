"""What passes along the edges of a graph: constants, features, and what no layer here computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.file.model import Operation
from cnnstudio.interchange.onnx.views import View, plain
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.code import Call
from cnnstudio.layers.errors import ShapeError

_KEY = "step"


@dataclass(frozen=True, eq=False)
class Step:
    """One layer with its weights, in the order in which a design has them."""

    layer: Layer
    weights: Mapping[str, Array] = field(default_factory=dict)
    """By their names within the layer, such as `weight`."""
    note: str = ""
    """What is not the same as in the file; empty if it is."""
    remark: str = ""
    """What is worth knowing, although the layer computes the same."""


@dataclass(frozen=True, eq=False)
class Affine:
    """x * scale + shift, float32, a number per channel or a single one. Layers take it in if they can."""

    scale: Array | None
    shift: Array | None


@dataclass(frozen=True, eq=False)
class Omitted:
    """A node that is left out; `note` says so."""

    note: str


AnyStep = Step | Affine | Omitted


def as_call(step: AnyStep) -> LayerCall:
    """The step as an item of a graph."""
    return LayerCall(Call("onnx", keywords={_KEY: step}))


def step_of(call: Call) -> AnyStep:
    """The step of such an item."""
    step: AnyStep = call.keywords[_KEY]
    return step


@dataclass(frozen=True, eq=False)
class Features:
    """Feature maps or a vector, one for each image of the batch."""

    tensor: SymbolicTensor
    shape: Shape
    """As the design has it."""
    view: View
    """As the file has it."""
    is_nonnegative: bool = False

    def then(self, step: AnyStep, shape: Shape | None = None, view: View | None = None) -> Features:
        """The features after a step, by default of the same shape and view; they may be negative."""
        shape = self.shape if shape is None else shape
        if view is None:
            view = self.view if shape == self.shape else plain(shape)
        return Features(self.tensor.then(as_call(step)), shape, view)

    def after(self, layer: Layer, **options: Any) -> Features:
        """The features after a layer, in the design's own order; `options` are those of Step."""
        try:
            shape = layer.output_shape(self.shape)
        except ShapeError as error:
            raise NotExpressibleError(error.message.replace("{source}", "")) from None
        return Features(self.tensor.then(as_call(Step(layer, **options))), shape, plain(shape))

    def seen_as(self, view: View) -> Features:
        return replace(self, view=view)

    def nonnegative(self, value: bool = True) -> Features:
        return replace(self, is_nonnegative=value)


@dataclass(frozen=True)
class Cause:
    """A node that no layer here expresses, and why."""

    operation: Operation
    reason: str

    @property
    def note(self) -> str:
        return f"{self.operation.label} {self.reason}"


@dataclass(frozen=True, eq=False)
class Inexpressible:
    """What comes out of such a node, or of one that depends on it."""

    causes: tuple[Cause, ...]


Value = Array | Features | Inexpressible


def make(type_name: str, **values: Any) -> Layer:
    """A layer of that type. Raises NotExpressibleError for values that it cannot have."""
    try:
        return layer_type(type_name)(**values)
    except ParameterError as error:
        raise NotExpressibleError(f"has settings that {type_name} does not take: {error}") from None
