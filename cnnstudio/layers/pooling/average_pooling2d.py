"""Average pooling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.layers.base import Family, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Call, NotDrawable, Signatures
from cnnstudio.layers.pooling.base import KERAS_POOLING, Pooling2D


@dataclass(frozen=True)
class AveragePooling2D(Pooling2D):
    """The mean of each window, the padding not counted."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLS
    description: ClassVar[str] = "Keeps the mean of each window, so the image shrinks smoothly."
    advice: ClassVar[str] = "Use it where the amount of a feature matters more than its peak."
    order: ClassVar[int] = 1

    keras_calls: ClassVar[Signatures] = {"AveragePooling2D": KERAS_POOLING, "AvgPool2D": KERAS_POOLING}
    pytorch_calls: ClassVar[Signatures] = {
        "AvgPool2d": (
            "kernel_size, stride=None, padding=0, ceil_mode=False, "
            "count_include_pad=True, divisor_override=None"
        ),
        "AdaptiveAvgPool2d": "output_size",
        "ZeroPad2d": "padding",
    }

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

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return super().from_pytorch(calls, shape) if calls[0].name == "AvgPool2d" else ()

    @classmethod
    def instead_of_pytorch(cls, call: Call, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        if call.name == "AdaptiveAvgPool2d":
            return cls._adaptive(arguments["output_size"], shape)
        if not arguments["count_include_pad"] or arguments["divisor_override"] is not None:
            raise NotDrawable("counts its border in a way that no pooling here has")
        return cls.padded(arguments)

    @classmethod
    def _adaptive(cls, output: Any, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """Windows side by side, where they divide the image."""
        height, width = (output, output) if isinstance(output, int) else output
        if not shape.is_image or shape.height % height or shape.width % width:
            raise NotDrawable(f"makes {height} × {width} of {shape}, which windows of one size do not")
        size = shape.height // height, shape.width // width
        if size == (1, 1):
            return (), f"it changes nothing at {shape.height} × {shape.width}, so it is not drawn"
        return ((cls.type_name(), {"pool_size": size}),), ""
