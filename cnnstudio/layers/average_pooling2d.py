"""Average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import Family, Pieces, Role, Shape
from cnnstudio.layers.pooling import Pooling2D


@dataclass(frozen=True)
class AveragePooling2D(Pooling2D):
    """The mean of each window, the padding not counted."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLS
    description: ClassVar[str] = "Keeps the mean of each window, so the picture shrinks smoothly."
    advice: ClassVar[str] = "Use it where the amount of a feature matters more than its peak."
    order: ClassVar[int] = 1

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        pooling = self.torch_pooling(shape)
        module = nn.AvgPool2d(
            self.pool_size,
            stride=self._strides(),
            padding=pooling.padding,
            ceil_mode=pooling.ceil_mode,
            count_include_pad=False,
        )
        pieces: Pieces = [("", module)]
        if pooling.crop != (0, 0):
            pieces.append(("crop", nn.ZeroPad2d(pooling.crop_padding)))
        return pieces

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return self.pytorch_pooling(shape, "AvgPool2d", ", count_include_pad=False")
