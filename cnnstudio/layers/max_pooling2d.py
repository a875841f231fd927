"""Max-pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import Family, Pieces, Role, Shape
from cnnstudio.layers.pooling import Pooling2D


@dataclass(frozen=True)
class MaxPooling2D(Pooling2D):
    """The largest value of each window."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLS
    description: ClassVar[str] = "Keeps the largest value of each window, so the picture shrinks."
    advice: ClassVar[str] = "Use it after convolutions to save work and to care less about the exact place."

    @property
    def bends(self) -> bool:
        return True

    def own_activations(self, shape: Shape) -> int:
        return 3 * self.output_shape(shape).size  # with the place of each largest value, of twice the bytes

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        pooling = self.torch_pooling(shape)
        module = nn.MaxPool2d(
            self.pool_size, stride=self._strides(), padding=pooling.padding, ceil_mode=pooling.ceil_mode
        )
        pieces: Pieces = [("", module)]
        if pooling.crop != (0, 0):
            pieces.append(("crop", nn.ZeroPad2d(pooling.crop_padding)))
        return pieces

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return self.pytorch_pooling(shape, "MaxPool2d")
