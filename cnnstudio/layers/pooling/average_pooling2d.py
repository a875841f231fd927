"""Average pooling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.layers.base import Family, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall, is_same_value
from cnnstudio.layers.pooling.base import KERAS_POOLING, Pooling2D


@dataclass(frozen=True)
class AveragePooling2D(Pooling2D):
    """The mean of each window, not counting padding."""

    family: ClassVar[Family] = Family.POOLING
    role: ClassVar[Role] = Role.POOLING
    description: ClassVar[str] = "Shrinks the image by keeping the mean of each window."
    usage_hint: ClassVar[str] = "Use it when the overall amount of a feature matters more than its peak."
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

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        pooling = self.torch_pooling(shape)
        module = nn.AvgPool2d(
            self.pool_size,
            stride=self._strides(),
            padding=pooling.padding,
            ceil_mode=pooling.ceil_mode,
            count_include_pad=False,
        )
        modules: NamedModules = [("", module)]
        if pooling.crop != (0, 0):
            modules.append(("crop", nn.ZeroPad2d(pooling.crop_padding)))
        return modules

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return self.pytorch_pooling_code(shape, "AvgPool2d", ", count_include_pad=False")

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return super().from_pytorch(calls, shape) if calls[0].name == "AvgPool2d" else ()

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        if call.name == "AdaptiveAvgPool2d":
            return cls.adaptive(arguments["output_size"], shape)
        if arguments["divisor_override"] is not None:
            raise UnsupportedCall("divides by another number than that of the pixels, which is not supported")
        if is_same_value(arguments["padding"], 0) and arguments["ceil_mode"]:
            # Windows that do not fit are smaller here, too; without padding there is nothing else to count.
            values = {
                "pool_size": arguments["kernel_size"],
                "strides": arguments["stride"],
                "padding": "same",
            }
            pooling = cls().with_values(values).torch_pooling(shape)
            if pooling.padding == pooling.crop == (0, 0):
                return ((cls.type_name(), values),), ""
        if not arguments["count_include_pad"]:
            raise UnsupportedCall("leaves its padding out of the mean, which is only supported for “same”")
        return cls.with_zero_padding(arguments)
