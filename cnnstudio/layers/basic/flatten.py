"""Flatten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.layers.base import Family, Layer, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Signatures


@dataclass(frozen=True)
class Flatten(Layer):
    """Channels, height and width in one row; torch's order (channel by channel)."""

    family: ClassVar[Family] = Family.CORE
    role: ClassVar[Role] = Role.FLATTENS
    description: ClassVar[str] = "Lays all feature maps out as one flat vector."
    advice: ClassVar[str] = "Use it once, between the last pooling and the first Dense."

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

    def own_activations(self, shape: Shape, output: Shape) -> int:
        return 0  # the same numbers at the same place, read in another way

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return [("", nn.Flatten())]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.Flatten()")]

    def keras(self, shape: Shape) -> list[str]:
        return ["layers.Flatten()"]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        return cls()
