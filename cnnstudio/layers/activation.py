"""An activation function as a layer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.activations import (
    activation_choice,
    build_activation,
    keras_activation_layers,
    needs_input,
    pytorch_activation,
)
from cnnstudio.layers.base import Family, Layer, Pieces, Role, Shape


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

    def own_activations(self, shape: Shape) -> int:
        return shape.size if needs_input(self.activation) else 0  # else it takes the place of its input

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return build_activation(self.activation) or [("activation", nn.Identity())]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return pytorch_activation(self.activation) or [("activation", "nn.Identity()")]

    def keras(self, shape: Shape) -> list[str]:
        return keras_activation_layers(self.activation) or ['layers.Activation("linear")']
