"""Global max pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import WHOLE, Family, Layer, Pieces, Shape, Window
from cnnstudio.layers.code import Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class GlobalMaxPooling2D(Layer):
    """The largest value of each feature map: a flat vector with one number a channel."""

    family: ClassVar[Family] = Family.POOLING
    description: ClassVar[str] = "Turns each feature map into its largest value: one number a channel."
    advice: ClassVar[str] = "Use it before the last Dense where one strong sign of a feature is enough."
    order: ClassVar[int] = 3

    keras_calls: ClassVar[Signatures] = {
        "GlobalMaxPooling2D": "data_format=None, keepdims=False",
        "GlobalMaxPool2D": "data_format=None, keepdims=False",
    }

    def summary(self) -> str:
        return "largest value of each feature map"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return Shape.of(shape.channels)

    def window(self, shape: Shape) -> Window:
        return WHOLE

    @property
    def bends(self) -> bool:
        return True

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return [("", nn.AdaptiveMaxPool2d(1)), ("flatten", nn.Flatten())]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.AdaptiveMaxPool2d(1)"), ("flatten", "nn.Flatten()")]

    def keras(self, shape: Shape) -> list[str]:
        return ["layers.GlobalMaxPooling2D()"]
