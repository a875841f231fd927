"""2-D convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.activations import (
    activation_choice,
    build_activation,
    keras_activation,
    pytorch_activation,
)
from cnnstudio.layers.base import Family, Layer, Pieces, SetParameters, Shape, ShapeError, Window
from cnnstudio.layers.params import choice, flag, integer, pair
from cnnstudio.layers.shape import times
from cnnstudio.layers.sliding import as_code, effective, output_size, same_padding


@dataclass(frozen=True)
class Conv2D(Layer):
    """`filters` kernels of `kernel_size` slide over the picture; each makes one feature map."""

    family: ClassVar[Family] = Family.CONVOLUTION
    description: ClassVar[str] = "Slides small filters over the picture; each makes one feature map."
    advice: ClassVar[str] = "Use it to find edges, textures and parts of things wherever they stand."

    filters: int = integer(32, maximum=65_536, help="feature maps that come out")
    kernel_size: tuple[int, int] = pair((3, 3), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] = pair((1, 1), maximum=255, help="pixels from one window to the next")
    padding: str = choice("valid", ("valid", "same"), help="“same” keeps the size")
    dilation_rate: tuple[int, int] = pair((1, 1), maximum=255, help="pixels between the taps of the kernel")
    groups: int = integer(1, maximum=65_536, help="channels are split into so many separate convolutions")
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trained number added to each feature map")

    def summary(self) -> str:
        text = f"{self.filters} filters {times(self.kernel_size)}"
        if self.strides != (1, 1):
            text += f", stride {as_code(self.strides)}"
        if self.padding != "valid":
            text += f", {self.padding}"
        return text if self.activation == "linear" else f"{text}, {self.activation}"

    def _extent(self) -> tuple[int, int]:
        return effective(self.kernel_size, self.dilation_rate)

    def output_shape(self, shape: Shape) -> Shape:
        size = output_size(shape, self._extent(), self.strides, self.padding)
        if shape.channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"cannot split {shape.channels} channels{{source}} and {self.filters} filters into "
                f"{self.groups} groups of the same size",
                SetParameters({"groups": 1}, "set groups to 1"),
                assumed=Shape.of(self.filters, *size),
            )
        return Shape.of(self.filters, *size)

    def parameter_count(self, shape: Shape) -> int:
        return self._weights(shape) + (self.filters if self.use_bias else 0)

    def _weights(self, shape: Shape) -> int:
        return self.filters * (shape.channels // self.groups) * self.kernel_size[0] * self.kernel_size[1]

    def macs(self, shape: Shape) -> int:
        output = self.output_shape(shape)
        return self._weights(shape) * output.height * output.width

    def window(self, shape: Shape) -> Window:
        return Window(self._extent(), self.strides)

    def _padding(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """(before, after) of height and of width."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        extent = self._extent()
        return (
            same_padding(shape.height, extent[0], self.strides[0]),
            same_padding(shape.width, extent[1], self.strides[1]),
        )

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        (top, bottom), (left, right) = self._padding(shape)
        # torch pads both sides alike; the odd pixel of Keras's "same" needs a piece of its own.
        uneven = top != bottom or left != right
        pieces: Pieces = [("padding", nn.ZeroPad2d((left, right, top, bottom)))] if uneven else []
        convolution = nn.Conv2d(
            shape.channels,
            self.filters,
            self.kernel_size,
            stride=self.strides,
            padding=(0, 0) if uneven else (top, left),
            dilation=self.dilation_rate,
            groups=self.groups,
            bias=self.use_bias,
        )
        return [*pieces, ("", convolution), *build_activation(self.activation)]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        (top, bottom), (left, right) = self._padding(shape)
        uneven = top != bottom or left != right
        pieces = [("padding", f"nn.ZeroPad2d(({left}, {right}, {top}, {bottom}))")] if uneven else []
        arguments = [str(shape.channels), str(self.filters), f"kernel_size={as_code(self.kernel_size)}"]
        if self.strides != (1, 1):
            arguments.append(f"stride={as_code(self.strides)}")
        if not uneven and (top, left) != (0, 0):
            arguments.append(f"padding={as_code((top, left))}")
        if self.dilation_rate != (1, 1):
            arguments.append(f"dilation={as_code(self.dilation_rate)}")
        if self.groups != 1:
            arguments.append(f"groups={self.groups}")
        if not self.use_bias:
            arguments.append("bias=False")
        return [*pieces, ("", f"nn.Conv2d({', '.join(arguments)})"), *pytorch_activation(self.activation)]

    def keras(self, shape: Shape) -> list[str]:
        activation, following = keras_activation(self.activation)
        code = f"layers.Conv2D({self.filters}, {self.kernel_size}"
        if self.strides != (1, 1):
            code += f", strides={self.strides}"
        if self.padding != "valid":
            code += f', padding="{self.padding}"'
        if self.dilation_rate != (1, 1):
            code += f", dilation_rate={self.dilation_rate}"
        if self.groups != 1:
            code += f", groups={self.groups}"
        code += activation
        if not self.use_bias:
            code += ", use_bias=False"
        return [code + ")", *following]
