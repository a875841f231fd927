"""Global average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import WHOLE_IMAGE, Family, Layer, NamedModules, ReceptiveField, Shape
from cnnstudio.layers.code import Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class GlobalAveragePooling2D(Layer):
    """The mean of each feature map: C × H × W to a flat vector of C features."""

    family: ClassVar[Family] = Family.POOLING
    description: ClassVar[str] = "Turns each feature map into its mean: one value per channel."
    usage_hint: ClassVar[str] = "Use it before the last Dense instead of Flatten, for far fewer parameters."
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

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        return WHOLE_IMAGE

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten())]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.AdaptiveAvgPool2d(1)"), ("flatten", "nn.Flatten()")]

    def keras_code(self, shape: Shape) -> list[str]:
        return ["layers.GlobalAveragePooling2D()"]
