"""The layer between feature maps and dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.layers.base import Family, Layer, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Signatures


@dataclass(frozen=True)
class Flatten(Layer):
    """C × H × W to a vector of C · H · W features, in torch's order: channel by channel, row by row."""

    family: ClassVar[Family] = Family.CORE
    role: ClassVar[Role] = Role.FLATTEN
    description: ClassVar[str] = "Turns all feature maps into one flat vector."
    usage_hint: ClassVar[str] = "Use it once, between the last pooling layer and the first Dense."

    keras_calls: ClassVar[Signatures] = {
        "Flatten": "data_format=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Flatten": "start_dim=1, end_dim=-1",
    }

    def summary(self) -> str:
        return "to a flat vector"

    def output_shape(self, shape: Shape) -> Shape:
        return Shape.of(shape.size)

    def activation_count(self, shape: Shape, output: Shape) -> int:
        return 0  # a view of the input: nothing new is stored

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.Flatten())]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.Flatten()")]

    def keras_code(self, shape: Shape) -> list[str]:
        return ["layers.Flatten()"]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        return cls()
