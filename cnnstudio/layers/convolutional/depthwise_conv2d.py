"""Convolution of each channel on its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, flag, integer, pair
from cnnstudio.layers.activations import activation_choice, build_activation, pytorch_activation
from cnnstudio.layers.base import Family, Pieces, Shape
from cnnstudio.layers.code import Call, Signatures
from cnnstudio.layers.convolutional.base import Convolution
from cnnstudio.layers.initializers import initializer_choice, l2_number
from cnnstudio.layers.shape import times


@dataclass(frozen=True)
class DepthwiseConv2D(Convolution):
    """Each channel gets `depth_multiplier` kernels of its own; the channels do not meet."""

    family: ClassVar[Family] = Family.CONVOLUTION
    description: ClassVar[str] = "Slides filters of its own over each channel, without mixing the channels."
    advice: ClassVar[str] = "Use it with a 1 × 1 convolution after it, for far fewer weights than Conv2D has."
    order: ClassVar[int] = 1

    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels from one window to the next")
    padding: str = choice("valid", ("valid", "same"), help="“same” keeps the size")
    depth_multiplier: int = integer(1, maximum=1024, help="feature maps that come out for each channel")
    dilation_rate: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between the taps of the kernel")
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trained number added to each feature map")
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
        kernel = times(self.kernel_size)
        many = self.depth_multiplier > 1
        return self.summary_of(f"{self.depth_multiplier} filters {kernel} a channel" if many else kernel)

    def feature_maps(self, shape: Shape) -> int:
        return shape.channels * self.depth_multiplier

    def kernel_weights(self, shape: Shape) -> int:
        return self.feature_maps(shape) * self.kernel_size[0] * self.kernel_size[1]

    def build(self, shape: Shape) -> Pieces:
        return [
            *self.build_sliding(shape, self.feature_maps(shape), shape.channels, self.use_bias),
            *build_activation(self.activation),
        ]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [
            *self.sliding_code(shape, self.feature_maps(shape), shape.channels, self.use_bias),
            *pytorch_activation(self.activation),
        ]

    def keras(self, shape: Shape) -> list[str]:
        many = "" if self.depth_multiplier == 1 else f", depth_multiplier={self.depth_multiplier}"
        return self.keras_convolution(shape, f"{self.kernel_size}", many)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        for call, values in cls.sliding_values(calls):
            if call["groups"] == call["in_channels"]:
                yield cls(depth_multiplier=call["out_channels"] // call["in_channels"], **values)
