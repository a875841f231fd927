"""The base of Conv2D, DepthwiseConv2D and SeparableConv2D: kernels that slide over the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnnstudio.layers.activations import keras_activation_argument, possible_activations
from cnnstudio.layers.base import Layer, NamedModules, ReceptiveField, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.initializers import (
    keras_kernel_arguments,
    keras_kernel_helpers,
    kernel_options_code,
    kernel_options_from_keras,
    kernel_options_helpers,
    unwrap_kernel_options,
    with_kernel_options,
)
from cnnstudio.layers.sliding_window import Sizes, effective_kernel_size, output_size, pair_code, same_padding

if TYPE_CHECKING:
    from torch import nn


PYTORCH_CONVOLUTION = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros'"
)


class Convolution(Layer):
    """The base class. It has no fields, so that each type can declare them in Keras's order."""

    kernel_size: Sizes
    strides: Sizes
    padding: str
    dilation_rate: Sizes
    activation: str
    use_bias: bool
    kernel_initializer: str
    kernel_l2: float

    keras_kernels: ClassVar[tuple[str, ...]] = ("kernel",)
    """Keras's prefixes for the arguments of the kernels, as in `kernel_initializer`."""
    pytorch_calls: ClassVar[Signatures] = {"Conv2d": PYTORCH_CONVOLUTION, "ZeroPad2d": "padding"}

    def summary_with(self, first: str) -> str:
        """The summary: `first`, then the stride, padding and activation that differ from the default."""
        text = first
        if self.strides != (1, 1):
            text += f", stride {pair_code(self.strides)}"
        if self.padding != "valid":
            text += f", {self.padding}"
        return text if self.activation == "linear" else f"{text}, {self.activation}"

    def as_added(self, classes: int | None) -> Self:
        return self.with_values({"activation": "relu"})

    def _extent(self) -> Sizes:
        return effective_kernel_size(self.kernel_size, self.dilation_rate)

    def output_size(self, shape: Shape) -> Sizes:
        """Height and width of the output. Raises ShapeError."""
        return output_size(
            shape,
            self.kernel_size,
            self.strides,
            self.padding,
            kernel_name="kernel_size",
            dilation=self.dilation_rate,
        )

    def output_shape(self, shape: Shape) -> Shape:
        return Shape.of(self.output_channels(shape), *self.output_size(shape))

    def output_channels(self, shape: Shape) -> int:
        """The number of feature maps in the output."""
        raise NotImplementedError

    def kernel_weight_count(self, shape: Shape) -> int:
        """The number of weights without the bias. Each is used once per output position."""
        raise NotImplementedError

    def parameter_count(self, shape: Shape) -> int:
        return self.kernel_weight_count(shape) + (self.output_channels(shape) if self.use_bias else 0)

    def macs(self, shape: Shape) -> int:
        output = self.output_shape(shape)
        return self.kernel_weight_count(shape) * output.height * output.width

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        (top, _), (left, _) = self._padding(shape, self.strides)
        return ReceptiveField(self._extent(), self.strides, (-top, -left))

    def _padding(self, shape: Shape, strides: Sizes) -> tuple[Sizes, Sizes]:
        """((top, bottom), (left, right)) in pixels."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        extent = self._extent()
        return (
            same_padding(shape.height, extent[0], strides[0]),
            same_padding(shape.width, extent[1], strides[1]),
        )

    def with_kernel_options(self, convolution: nn.Conv2d) -> nn.Conv2d:
        """The torch convolution with this layer's initializer and L2 penalty."""
        return with_kernel_options(convolution, self.kernel_initializer, self.kernel_l2)

    def kernel_options_code(self, code: str) -> str:
        """The same for an expression."""
        return kernel_options_code(code, self.kernel_initializer, self.kernel_l2)

    def pytorch_helpers(self) -> tuple[str, ...]:
        return kernel_options_helpers(self.kernel_initializer, self.kernel_l2)

    def build_convolution(self, shape: Shape, filters: int, groups: int, bias: bool) -> NamedModules:
        """The convolution as the main module, with separate padding before it if necessary."""
        from torch import nn

        (top, bottom), (left, right) = self._padding(shape, self.strides)
        # nn.Conv2d pads both sides equally: the odd pixel of Keras's "same" needs a padding module.
        uneven = top != bottom or left != right
        modules: NamedModules = [("padding", nn.ZeroPad2d((left, right, top, bottom)))] if uneven else []
        convolution = nn.Conv2d(
            shape.channels,
            filters,
            self.kernel_size,
            stride=self.strides,
            padding=(0, 0) if uneven else (top, left),
            dilation=self.dilation_rate,
            groups=groups,
            bias=bias,
        )
        return [*modules, ("", self.with_kernel_options(convolution))]

    def convolution_code(self, shape: Shape, filters: int, groups: int, bias: bool) -> list[tuple[str, str]]:
        """The modules of `build_convolution` as expressions on `nn`."""
        (top, bottom), (left, right) = self._padding(shape, self.strides)
        uneven = top != bottom or left != right
        modules = [("padding", f"nn.ZeroPad2d(({left}, {right}, {top}, {bottom}))")] if uneven else []
        arguments = [str(shape.channels), str(filters), f"kernel_size={pair_code(self.kernel_size)}"]
        if self.strides != (1, 1):
            arguments.append(f"stride={pair_code(self.strides)}")
        # Written even if it is 0: that tells "same" from "valid" on import when both give the same result.
        if not uneven and self.padding == "same":
            arguments.append(f"padding={pair_code((top, left))}")
        if self.dilation_rate != (1, 1):
            arguments.append(f"dilation={pair_code(self.dilation_rate)}")
        if groups != 1:
            arguments.append(f"groups={groups}")
        if not bias:
            arguments.append("bias=False")
        return [*modules, ("", self.kernel_options_code(f"nn.Conv2d({', '.join(arguments)})"))]

    def keras_convolution_code(self, shape: Shape, first: str, extra: str = "", groups: int = 1) -> list[str]:
        """The layer as Keras code: `first` are its first arguments, `extra` those before the activation.

        Keras rejects strides combined with dilation. The dilated convolution is then computed at stride 1,
        with the padding that its stride requires, and a 1 × 1 pooling with that stride keeps the right
        positions.
        """
        padding, strides = self.padding, self.strides
        before: list[str] = []
        after: list[str] = []
        if max(strides) > 1 and max(self.dilation_rate) > 1:
            if padding == "same":
                before = [f"layers.ZeroPadding2D({self._padding(shape, strides)})"]
            after = [f"layers.MaxPooling2D((1, 1), strides={strides})"]
            padding, strides = "valid", (1, 1)
        code = f"layers.{self.type_name()}({first}"
        if strides != (1, 1):
            code += f", strides={strides}"
        if padding != "valid":
            code += f', padding="{padding}"'
        if self.dilation_rate != (1, 1):
            code += f", dilation_rate={self.dilation_rate}"
        code += extra + keras_activation_argument(self.activation)
        if not self.use_bias:
            code += ", use_bias=False"
        code += keras_kernel_arguments(self.kernel_initializer, self.kernel_l2, self.keras_kernels, groups)
        return [*before, code + ")", *after]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        kernel = kernel_options_from_keras(call, cls.keras_kernels)
        return super().from_keras(call).with_values(kernel)

    @classmethod
    def from_keras_sequence(cls, calls: Sequence[Call]) -> Iterable[Self]:
        """A dilated convolution whose stride is written as a 1 × 1 pooling; see `keras_convolution_code`."""
        convolution = next((call for call in calls if call.name == cls.type_name()), None)
        if convolution is None or calls[-1].name != "MaxPooling2D":
            return
        unstrided = cls.from_keras(Arguments(convolution, cls.keras_calls[cls.type_name()]))
        strides = calls[-1].keywords.get("strides", (1, 1))
        for padding in ("valid", "same"):
            yield unstrided.with_values({"strides": strides, "padding": padding})

    @classmethod
    def convolution_values(cls, calls: Sequence[Call]) -> Iterator[tuple[Arguments, dict[str, Any]]]:
        """The first torch convolution among `calls`, with each set of parameters that it may come from."""
        for call in calls[:2]:
            inner, kernel_options = unwrap_kernel_options(call)
            if inner.name != "Conv2d":
                continue
            arguments = Arguments(inner, PYTORCH_CONVOLUTION)
            for padding in ("valid", "same"):
                for activation in possible_activations(calls[1:4]):
                    yield (
                        arguments,
                        {
                            "kernel_size": arguments["kernel_size"],
                            "strides": arguments["stride"],
                            "dilation_rate": arguments["dilation"],
                            "use_bias": arguments["bias"],
                            "padding": padding,
                            "activation": activation,
                            **kernel_options,
                        },
                    )
            return

    def keras_helpers(self) -> tuple[str, ...]:
        return keras_kernel_helpers(self.kernel_initializer, self.keras_kernels)
