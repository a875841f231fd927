"""2-D convolution."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.core.parameters import choice, flag, integer, pair
from cnnstudio.layers.activations import activation_choice, build_activation, pytorch_activation_code
from cnnstudio.layers.base import Family, NamedModules, Role, SetParameters, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.convolutional.base import PYTORCH_CONVOLUTION, Convolution
from cnnstudio.layers.initializers import initializer_choice, l2_number
from cnnstudio.layers.shape import format_sizes

_KERAS_CONVOLUTION = (
    "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), "
    "groups=1, activation=None, use_bias=True, kernel_initializer='auto', bias_initializer='zeros', "
    "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
    "kernel_constraint=None, bias_constraint=None"
)


@dataclass(frozen=True)
class Conv2D(Convolution):
    """`filters` kernels of `kernel_size` slide over the image; each produces one feature map."""

    family: ClassVar[Family] = Family.CONVOLUTION
    role: ClassVar[Role] = Role.LINEAR
    description: ClassVar[str] = "Slides small filters over the image; each produces one feature map."
    usage_hint: ClassVar[str] = "Use it to find edges, textures and parts of objects anywhere in the image."

    filters: int = integer(
        32, maximum=65_536, help="feature maps in the output", one_value_per="each pixel of each image"
    )
    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between neighboring windows")
    padding: str = choice("valid", ("valid", "same"), help="“same” pads the image to keep its size")
    dilation_rate: tuple[int, int] = pair(
        (1, 1), maximum=255, rare=True, help="pixels between the weights of the kernel"
    )
    groups: int = integer(
        1,
        maximum=65_536,
        rare=True,
        help="number of groups the channels are split into, each with its own filters",
    )
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trainable offset for each feature map")
    kernel_initializer: str = initializer_choice(dirac=True)
    kernel_l2: float = l2_number()

    keras_calls: ClassVar[Signatures] = {
        "Conv2D": _KERAS_CONVOLUTION,
        "Convolution2D": _KERAS_CONVOLUTION,
    }

    def summary(self) -> str:
        return self.summary_with(
            f"{self.filters} {'filter' if self.filters == 1 else 'filters'} {format_sizes(self.kernel_size)}"
        )

    def output_shape(self, shape: Shape) -> Shape:
        output = super().output_shape(shape)
        if shape.channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"cannot split {shape.channels} channels{{source}} and {self.filters} filters into "
                f"{self.groups} equal groups",
                self._fitting_groups(shape.channels),
                assumed=output,
                why="Each group applies an equal share of the filters to an equal share of the channels.",
            )
        return output

    def _fitting_groups(self, channels: int) -> list[SetParameters]:
        """Fixes: the closest number of groups that divides channels and filters, and 1, which always does."""
        common = math.gcd(channels, self.filters)
        divisors = [number for number in range(1, common + 1) if common % number == 0]
        nearest = min(divisors, key=lambda number: (abs(number - self.groups), number))
        chosen = dict.fromkeys((nearest, 1))
        return [SetParameters({"groups": number}, f"set groups to {number}") for number in chosen]

    def output_channels(self, shape: Shape) -> int:
        return self.filters

    def kernel_weight_count(self, shape: Shape) -> int:
        return self.filters * (shape.channels // self.groups) * self.kernel_size[0] * self.kernel_size[1]

    def build(self, shape: Shape) -> NamedModules:
        return [
            *self.build_convolution(shape, self.filters, self.groups, self.use_bias),
            *build_activation(self.activation),
        ]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [
            *self.convolution_code(shape, self.filters, self.groups, self.use_bias),
            *pytorch_activation_code(self.activation),
        ]

    def keras_code(self, shape: Shape) -> list[str]:
        groups = "" if self.groups == 1 else f", groups={self.groups}"
        return self.keras_convolution_code(shape, f"{self.filters}, {self.kernel_size}", groups, self.groups)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        for call, values in cls.convolution_values(calls):
            yield cls(filters=call["out_channels"], groups=call["groups"], **values)

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """Explicit zero padding, then the convolution, for a padding that is not Keras's "same"."""
        arguments = Arguments(call, PYTORCH_CONVOLUTION)
        padding, mode = arguments["padding"], arguments["padding_mode"]
        note = "" if mode == "zeros" else f"its padding_mode {mode} is not supported; zeros are used instead"
        values = {
            "filters": arguments["out_channels"],
            "kernel_size": arguments["kernel_size"],
            "strides": arguments["stride"],
            "dilation_rate": arguments["dilation"],
            "groups": arguments["groups"],
            "use_bias": arguments["bias"],
        }
        if padding == "same":
            return ((cls.type_name(), {**values, "padding": padding}),), note
        height, width = (padding, padding) if isinstance(padding, int) else padding
        border = ("ZeroPadding2D", {"padding": ((height, height), (width, width))})
        return (border, (cls.type_name(), values)), note
