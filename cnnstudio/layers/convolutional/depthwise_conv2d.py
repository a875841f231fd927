"""Convolution of each channel separately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, flag, integer, pair
from cnnstudio.layers.activations import activation_choice, build_activation, pytorch_activation_code
from cnnstudio.layers.base import Family, NamedModules, Shape
from cnnstudio.layers.code import Call, Signatures
from cnnstudio.layers.convolutional.base import Convolution
from cnnstudio.layers.initializers import initializer_choice, l2_number
from cnnstudio.layers.shape import format_sizes


@dataclass(frozen=True)
class DepthwiseConv2D(Convolution):
    """Each channel has its own `depth_multiplier` kernels; channels are not combined."""

    family: ClassVar[Family] = Family.CONVOLUTION
    description: ClassVar[str] = "Slides separate filters over each channel, without mixing the channels."
    usage_hint: ClassVar[str] = "Use it before a 1 × 1 convolution, for far fewer weights than a Conv2D."
    order: ClassVar[int] = 1

    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between neighboring windows")
    padding: str = choice("valid", ("valid", "same"), help="“same” pads the image to keep its size")
    depth_multiplier: int = integer(1, maximum=1024, help="feature maps in the output for each channel")
    dilation_rate: tuple[int, int] = pair(
        (1, 1), maximum=255, rare=True, help="pixels between the weights of the kernel"
    )
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trainable offset for each feature map")
    kernel_initializer: str = initializer_choice(dirac=True)
    kernel_l2: float = l2_number()

    keras_kernels: ClassVar[tuple[str, ...]] = ("depthwise",)

    keras_calls: ClassVar[Signatures] = {
        "DepthwiseConv2D": (
            "kernel_size, strides=(1, 1), padding='valid', depth_multiplier=1, data_format=None, "
            "dilation_rate=(1, 1), activation=None, use_bias=True, depthwise_initializer='auto', "
            "bias_initializer='zeros', depthwise_regularizer=None, bias_regularizer=None, "
            "activity_regularizer=None, depthwise_constraint=None, bias_constraint=None"
        ),
    }

    def summary(self) -> str:
        kernel = format_sizes(self.kernel_size)
        many = self.depth_multiplier > 1
        return self.summary_with(f"{self.depth_multiplier} filters {kernel} per channel" if many else kernel)

    def output_channels(self, shape: Shape) -> int:
        return shape.channels * self.depth_multiplier

    def kernel_weight_count(self, shape: Shape) -> int:
        return self.output_channels(shape) * self.kernel_size[0] * self.kernel_size[1]

    def build(self, shape: Shape) -> NamedModules:
        return [
            *self.build_convolution(shape, self.output_channels(shape), shape.channels, self.use_bias),
            *build_activation(self.activation),
        ]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [
            *self.convolution_code(shape, self.output_channels(shape), shape.channels, self.use_bias),
            *pytorch_activation_code(self.activation),
        ]

    def keras_code(self, shape: Shape) -> list[str]:
        many = "" if self.depth_multiplier == 1 else f", depth_multiplier={self.depth_multiplier}"
        return self.keras_convolution_code(shape, f"{self.kernel_size}", many)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        for call, values in cls.convolution_values(calls):
            if call["groups"] == call["in_channels"]:
                yield cls(depth_multiplier=call["out_channels"] // call["in_channels"], **values)
