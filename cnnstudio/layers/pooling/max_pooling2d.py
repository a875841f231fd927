"""Max pooling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.layers.base import Family, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.pooling.base import KERAS_POOLING, Pooling2D


@dataclass(frozen=True)
class MaxPooling2D(Pooling2D):
    """The largest value of each window."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLING
    description: ClassVar[str] = "Shrinks the image by keeping the largest value of each window."
    usage_hint: ClassVar[str] = (
        "Use it after convolutions to save work and to depend less on exact positions."
    )

    @property
    def is_nonlinear(self) -> bool:
        return True

    def activation_count(self, shape: Shape, output: Shape) -> int:
        return (
            3 * output.size
        )  # the output, and the int64 index of each maximum, which takes twice as many bytes

    keras_calls: ClassVar[Signatures] = {"MaxPooling2D": KERAS_POOLING, "MaxPool2D": KERAS_POOLING}
    pytorch_calls: ClassVar[Signatures] = {
        "MaxPool2d": (
            "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
        ),
        "AdaptiveMaxPool2d": "output_size, return_indices=False",
        "ZeroPad2d": "padding",
    }

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        pooling = self.torch_pooling(shape)
        module = nn.MaxPool2d(
            self.pool_size, stride=self._strides(), padding=pooling.padding, ceil_mode=pooling.ceil_mode
        )
        modules: NamedModules = [("", module)]
        if pooling.crop != (0, 0):
            modules.append(("crop", nn.ZeroPad2d(pooling.crop_padding)))
        return modules

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return self.pytorch_pooling_code(shape, "MaxPool2d")

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return super().from_pytorch(calls, shape) if calls[0].name == "MaxPool2d" else ()

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        if call.name not in cls.pytorch_calls or call.name == "ZeroPad2d":
            return (), ""
        if call.name == "AdaptiveMaxPool2d":
            return cls.adaptive(Arguments(call, cls.pytorch_calls[call.name])["output_size"], shape)
        row, _ = cls.with_zero_padding(Arguments(call, cls.pytorch_calls[call.name]))
        return row, "its padding is imported as zeros, which gives the same result only after a relu"
