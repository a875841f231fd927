"""An activation function as a separate layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.layers.activations import (
    KERAS_ACTIVATION_CALLS,
    PYTORCH_ACTIVATION_CALLS,
    activation_choice,
    activation_from_keras,
    activation_from_pytorch,
    backward_needs_input,
    build_activation,
    keras_activation_layers,
    pytorch_activation_code,
)
from cnnstudio.layers.base import Family, Layer, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures


@dataclass(frozen=True)
class Activation(Layer):
    """Applies the function to every value; softmax is over the channels or features."""

    family: ClassVar[Family] = Family.ACTIVATION
    role: ClassVar[Role] = Role.ACTIVATION
    description: ClassVar[str] = "Applies an activation function, such as relu, to every value."
    usage_hint: ClassVar[str] = "Use it after BatchNormalization, when the convolution has no activation."

    activation: str = activation_choice("relu", help="function applied to each value")

    keras_calls: ClassVar[Signatures] = {"Activation": "activation", **KERAS_ACTIVATION_CALLS}
    pytorch_calls: ClassVar[Signatures] = PYTORCH_ACTIVATION_CALLS

    def activation_count(self, shape: Shape, output: Shape) -> int:
        # The output replaces the input, which the layer before has counted, unless the gradient needs both.
        return shape.size if backward_needs_input(self.activation) else 0

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return build_activation(self.activation) or [("activation", nn.Identity())]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return pytorch_activation_code(self.activation) or [("activation", "nn.Identity()")]

    def keras_code(self, shape: Shape) -> list[str]:
        return keras_activation_layers(self.activation) or ['layers.Activation("linear")']

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        if call.name == "Activation":
            return super().from_keras(call)
        return cls(activation_from_keras(call))

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        name = activation_from_pytorch(calls[0])
        return (cls(name),) if name else ()

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        notes: list[str] = []
        name = activation_from_pytorch(call, notes.append)
        return ((cls.type_name(), {"activation": name}),), "; ".join(notes)
