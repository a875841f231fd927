"""Convolution of each channel on its own, then one of single pixels that mixes the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, flag, integer, pair
from cnnstudio.layers.activations import activation_choice, build_activation, pytorch_activation
from cnnstudio.layers.base import Family, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.convolutional.base import PYTORCH_CONVOLUTION, Convolution
from cnnstudio.layers.initializers import initializer_choice, l2_number, unprepared
from cnnstudio.layers.shape import times


@dataclass(frozen=True)
class SeparableConv2D(Convolution):
    """A depthwise convolution without bias, then a 1 × 1 convolution (Chollet 2017, Xception)."""

    family: ClassVar[Family] = Family.CONVOLUTION
    role: ClassVar[Role] = Role.MIXES
    description: ClassVar[str] = (
        "Slides one filter over each channel, then mixes the channels pixel by pixel."
    )
    advice: ClassVar[str] = "Use it in place of Conv2D where the network should be small and quick."
    order: ClassVar[int] = 2

    filters: int = integer(
        32, maximum=65_536, help="feature maps that come out", one_for="each pixel of each image"
    )
    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels from one window to the next")
    padding: str = choice("valid", ("valid", "same"), help="“same” keeps the size")
    depth_multiplier: int = integer(1, maximum=1024, help="filters that slide over each channel")
    dilation_rate: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between the taps of the kernel")
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trained number added to each feature map")
    kernel_initializer: str = initializer_choice(dirac=True)
    kernel_l2: float = l2_number()

    keras_kernels: ClassVar[tuple[str, ...]] = ("depthwise", "pointwise")

    keras_calls: ClassVar[Signatures] = {
        "SeparableConv2D": (
            "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, "
            "1), depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer='auto', "
            "pointwise_initializer='auto', bias_initializer='zeros', depthwise_regularizer=None, "
            "pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
            "depthwise_constraint=None, pointwise_constraint=None, bias_constraint=None"
        ),
    }

    def summary(self) -> str:
        return self.summary_of(f"{self.filters} filters {times(self.kernel_size)}")

    def feature_maps(self, shape: Shape) -> int:
        return self.filters

    def _between(self, shape: Shape) -> int:
        """Channels after the depthwise convolution."""
        return shape.channels * self.depth_multiplier

    def kernel_weights(self, shape: Shape) -> int:
        return self._between(shape) * (self.kernel_size[0] * self.kernel_size[1] + self.filters)

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        between = self._between(shape)
        mixing = self.prepare(nn.Conv2d(between, self.filters, 1, bias=self.use_bias))
        return [
            *self.build_sliding(shape, between, shape.channels, False),
            ("pointwise", mixing),
            *build_activation(self.activation),
        ]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        between = self._between(shape)
        bias = "" if self.use_bias else ", bias=False"
        mixing = self.prepare_code(f"nn.Conv2d({between}, {self.filters}, kernel_size=1{bias})")
        return [
            *self.sliding_code(shape, between, shape.channels, False),
            ("pointwise", mixing),
            *pytorch_activation(self.activation),
        ]

    def keras(self, shape: Shape) -> list[str]:
        many = "" if self.depth_multiplier == 1 else f", depth_multiplier={self.depth_multiplier}"
        return self.keras_convolution(shape, f"{self.filters}, {self.kernel_size}", many)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        both = [inner for inner, _ in map(unprepared, calls[:3]) if inner.name == "Conv2d"][:2]
        if len(both) < 2:
            return
        last = Arguments(both[1], PYTORCH_CONVOLUTION)
        for call, values in cls.sliding_values(calls):
            if call["groups"] != call["in_channels"]:
                continue
            values = {**values, "use_bias": last["bias"]}
            many = call["out_channels"] // call["in_channels"]
            yield cls(filters=last["out_channels"], depth_multiplier=many, **values)
