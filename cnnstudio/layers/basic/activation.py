"""An activation function as a layer of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.layers.activations import (
    KERAS_ACTIVATION_CALLS,
    PYTORCH_ACTIVATION_CALLS,
    activation_choice,
    build_activation,
    keras_activation_layers,
    keras_activation_of,
    needs_input,
    pytorch_activation,
    pytorch_activation_of,
)
from cnnstudio.layers.base import Family, Layer, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures


@dataclass(frozen=True)
class Activation(Layer):
    """The same function applied to every value; softmax works over the channels or features."""

    family: ClassVar[Family] = Family.ACTIVATION
    role: ClassVar[Role] = Role.BENDS
    description: ClassVar[str] = "Bends every value by a fixed function, such as relu."
    advice: ClassVar[str] = (
        "Use it after BatchNormalization, where the convolution before it has none of its own."
    )

    activation: str = activation_choice("relu", help="the function")

    keras_calls: ClassVar[Signatures] = {"Activation": "activation", **KERAS_ACTIVATION_CALLS}
    pytorch_calls: ClassVar[Signatures] = PYTORCH_ACTIVATION_CALLS

    def own_activations(self, shape: Shape, output: Shape) -> int:
        return shape.size if needs_input(self.activation) else 0  # else it takes the place of its input

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return build_activation(self.activation) or [("activation", nn.Identity())]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return pytorch_activation(self.activation) or [("activation", "nn.Identity()")]

    def keras(self, shape: Shape) -> list[str]:
        return keras_activation_layers(self.activation) or ['layers.Activation("linear")']

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        if call.name == "Activation":
            return super().from_keras(call)
        return cls(keras_activation_of(call))

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        name = pytorch_activation_of(calls[0])
        return (cls(name),) if name else ()

    @classmethod
    def instead_of_pytorch(cls, call: Call, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        notes: list[str] = []
        name = pytorch_activation_of(call, notes.append)
        return ((cls.type_name(), {"activation": name}),), "; ".join(notes)
