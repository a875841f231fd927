"""Global average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import WHOLE, Family, Layer, Pieces, Shape, Window
from cnnstudio.layers.code import Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class GlobalAveragePooling2D(Layer):
    """The mean of each feature map: a flat vector with one number a channel."""

    family: ClassVar[Family] = Family.POOLING
    description: ClassVar[str] = "Turns each feature map into its mean: one number a channel."
    advice: ClassVar[str] = "Use it before the last Dense in place of Flatten; it needs far fewer parameters."
    order: ClassVar[int] = 2

    keras_calls: ClassVar[Signatures] = {
        "GlobalAveragePooling2D": "data_format=None, keepdims=False",
        "GlobalAvgPool2D": "data_format=None, keepdims=False",
    }

    def summary(self) -> str:
        return "mean of each feature map"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return Shape.of(shape.channels)

    def window(self, shape: Shape) -> Window:
        return WHOLE

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return [("", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten())]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.AdaptiveAvgPool2d(1)"), ("flatten", "nn.Flatten()")]

    def keras(self, shape: Shape) -> list[str]:
        return ["layers.GlobalAveragePooling2D()"]
