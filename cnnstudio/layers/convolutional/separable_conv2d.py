"""Convolution of each channel separately, then a 1 × 1 convolution that combines the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, flag, integer, pair
from cnnstudio.layers.activations import activation_choice, build_activation, pytorch_activation_code
from cnnstudio.layers.base import Family, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.convolutional.base import PYTORCH_CONVOLUTION, Convolution
from cnnstudio.layers.initializers import initializer_choice, l2_number, unwrap_kernel_options
from cnnstudio.layers.shape import format_sizes


@dataclass(frozen=True)
class SeparableConv2D(Convolution):
    """A depthwise convolution without bias, then a 1 × 1 convolution (Chollet 2017, Xception)."""

    family: ClassVar[Family] = Family.CONVOLUTION
    role: ClassVar[Role] = Role.LINEAR
    description: ClassVar[str] = (
        "Slides one filter over each channel, then mixes the channels pixel by pixel."
    )
    usage_hint: ClassVar[str] = "Use it instead of Conv2D to make the network smaller and faster."
    order: ClassVar[int] = 2

    filters: int = integer(
        32, maximum=65_536, help="feature maps in the output", one_value_per="each pixel of each image"
    )
    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between neighboring windows")
    padding: str = choice("valid", ("valid", "same"), help="“same” pads the image to keep its size")
    depth_multiplier: int = integer(1, maximum=1024, rare=True, help="filters for each channel")
    dilation_rate: tuple[int, int] = pair(
        (1, 1), maximum=255, rare=True, help="pixels between the weights of the kernel"
    )
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trainable offset for each feature map")
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
        return self.summary_with(
            f"{self.filters} {'filter' if self.filters == 1 else 'filters'} {format_sizes(self.kernel_size)}"
        )

    def output_channels(self, shape: Shape) -> int:
        return self.filters

    def _hidden_channels(self, shape: Shape) -> int:
        """The number of channels between the depthwise and the 1 × 1 convolution."""
        return shape.channels * self.depth_multiplier

    def kernel_weight_count(self, shape: Shape) -> int:
        return self._hidden_channels(shape) * (self.kernel_size[0] * self.kernel_size[1] + self.filters)

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        hidden = self._hidden_channels(shape)
        pointwise = self.with_kernel_options(nn.Conv2d(hidden, self.filters, 1, bias=self.use_bias))
        return [
            *self.build_convolution(shape, hidden, shape.channels, False),
            ("pointwise", pointwise),
            *build_activation(self.activation),
        ]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        hidden = self._hidden_channels(shape)
        bias = "" if self.use_bias else ", bias=False"
        pointwise = self.kernel_options_code(f"nn.Conv2d({hidden}, {self.filters}, kernel_size=1{bias})")
        return [
            *self.convolution_code(shape, hidden, shape.channels, False),
            ("pointwise", pointwise),
            *pytorch_activation_code(self.activation),
        ]

    def keras_code(self, shape: Shape) -> list[str]:
        many = "" if self.depth_multiplier == 1 else f", depth_multiplier={self.depth_multiplier}"
        return self.keras_convolution_code(shape, f"{self.filters}, {self.kernel_size}", many)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        both = [inner for inner, _ in map(unwrap_kernel_options, calls[:3]) if inner.name == "Conv2d"][:2]
        if len(both) < 2:
            return
        last = Arguments(both[1], PYTORCH_CONVOLUTION)
        for call, values in cls.convolution_values(calls):
            if call["groups"] != call["in_channels"]:
                continue
            values = {**values, "use_bias": last["bias"]}
            many = call["out_channels"] // call["in_channels"]
            yield cls(filters=last["out_channels"], depth_multiplier=many, **values)
