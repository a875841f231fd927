"""Max-pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cnnstudio.layers.base import Family, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.pooling.base import KERAS_POOLING, Pooling2D


@dataclass(frozen=True)
class MaxPooling2D(Pooling2D):
    """The largest value of each window."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLS
    description: ClassVar[str] = "Keeps the largest value of each window, so the image shrinks."
    advice: ClassVar[str] = "Use it after convolutions to save work and to care less about the exact place."

    @property
    def bends(self) -> bool:
        return True

    def own_activations(self, shape: Shape, output: Shape) -> int:
        return 3 * output.size  # with the place of each largest value, of twice the bytes

    keras_calls: ClassVar[Signatures] = {"MaxPooling2D": KERAS_POOLING, "MaxPool2D": KERAS_POOLING}
    pytorch_calls: ClassVar[Signatures] = {
        "MaxPool2d": (
            "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
        ),
        "ZeroPad2d": "padding",
    }

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

    @classmethod
    def instead_of_pytorch(cls, call: Call, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        if call.name not in cls.pytorch_calls or call.name == "ZeroPad2d":
            return (), ""
        row, _ = cls.padded(Arguments(call, cls.pytorch_calls[call.name]))
        return row, "its border is drawn as zeros, which is the same behind a relu"
