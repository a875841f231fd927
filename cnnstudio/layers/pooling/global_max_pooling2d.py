"""Global max pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import WHOLE_IMAGE, Family, Layer, NamedModules, ReceptiveField, Shape
from cnnstudio.layers.code import Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class GlobalMaxPooling2D(Layer):
    """The largest value of each feature map: C × H × W to a flat vector of C features."""

    family: ClassVar[Family] = Family.POOLING
    description: ClassVar[str] = "Turns each feature map into its largest value: one value per channel."
    usage_hint: ClassVar[str] = (
        "Use it before the last Dense when one strong response to a feature is enough."
    )
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

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        return WHOLE_IMAGE

    @property
    def is_nonlinear(self) -> bool:
        return True

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.AdaptiveMaxPool2d(1)), ("flatten", nn.Flatten())]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", "nn.AdaptiveMaxPool2d(1)"), ("flatten", "nn.Flatten()")]

    def keras_code(self, shape: Shape) -> list[str]:
        return ["layers.GlobalMaxPooling2D()"]
