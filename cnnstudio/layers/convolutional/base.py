"""What Conv2D, DepthwiseConv2D and SeparableConv2D share: kernels that slide over the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnnstudio.layers.activations import keras_activation, pytorch_activations
from cnnstudio.layers.base import Layer, Pieces, Shape, Window
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.initializers import (
    keras_kernel,
    keras_kernel_helpers,
    kernel_from_keras,
    prepared,
    prepared_code,
    prepared_helpers,
    unprepared,
)
from cnnstudio.layers.sliding_window import Sizes, as_code, effective, output_size, same_padding

if TYPE_CHECKING:
    from torch import nn


PYTORCH_CONVOLUTION = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros'"
)


class Convolution(Layer):
    """No layer type, and without fields of its own: each type declares these in Keras's order."""

    kernel_size: Sizes
    strides: Sizes
    padding: str
    dilation_rate: Sizes
    activation: str
    use_bias: bool
    kernel_initializer: str
    kernel_l2: float

    keras_kernels: ClassVar[tuple[str, ...]] = ("kernel",)
    """What Keras calls the kernels, as in `kernel_initializer`."""
    pytorch_calls: ClassVar[Signatures] = {"Conv2d": PYTORCH_CONVOLUTION, "ZeroPad2d": "padding"}

    def summary_of(self, first: str) -> str:
        """The row's words: `first`, then what is not as usual."""
        text = first
        if self.strides != (1, 1):
            text += f", stride {as_code(self.strides)}"
        if self.padding != "valid":
            text += f", {self.padding}"
        return text if self.activation == "linear" else f"{text}, {self.activation}"

    def _extent(self) -> Sizes:
        return effective(self.kernel_size, self.dilation_rate)

    def output_size(self, shape: Shape) -> Sizes:
        """Height and width of what comes out. Raises ShapeError."""
        return output_size(
            shape,
            self.kernel_size,
            self.strides,
            self.padding,
            called="kernel_size",
            dilation=self.dilation_rate,
        )

    def output_shape(self, shape: Shape) -> Shape:
        return Shape.of(self.feature_maps(shape), *self.output_size(shape))

    def feature_maps(self, shape: Shape) -> int:
        """How many come out."""
        raise NotImplementedError

    def kernel_weights(self, shape: Shape) -> int:
        """Trained numbers without the bias; each is used once at each place of the output."""
        raise NotImplementedError

    def parameter_count(self, shape: Shape) -> int:
        return self.kernel_weights(shape) + (self.feature_maps(shape) if self.use_bias else 0)

    def macs(self, shape: Shape) -> int:
        output = self.output_shape(shape)
        return self.kernel_weights(shape) * output.height * output.width

    def window(self, shape: Shape) -> Window:
        (top, _), (left, _) = self._padding(shape, self.strides)
        return Window(self._extent(), self.strides, (-top, -left))

    def _padding(self, shape: Shape, strides: Sizes) -> tuple[Sizes, Sizes]:
        """(before, after) of height and of width."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        extent = self._extent()
        return (
            same_padding(shape.height, extent[0], strides[0]),
            same_padding(shape.width, extent[1], strides[1]),
        )

    def prepare(self, convolution: nn.Conv2d) -> nn.Conv2d:
        """The convolution with weights that begin, and are held, as the parameters say."""
        return prepared(convolution, self.kernel_initializer, self.kernel_l2)

    def prepare_code(self, code: str) -> str:
        """The same as code."""
        return prepared_code(code, self.kernel_initializer, self.kernel_l2)

    def pytorch_helpers(self) -> tuple[str, ...]:
        return prepared_helpers(self.kernel_initializer, self.kernel_l2)

    def build_sliding(self, shape: Shape, filters: int, groups: int, bias: bool) -> Pieces:
        """The convolution under the name "", after a padding where it needs one of its own."""
        from torch import nn

        (top, bottom), (left, right) = self._padding(shape, self.strides)
        # torch pads both sides alike; the odd pixel of Keras's "same" needs a piece of its own.
        uneven = top != bottom or left != right
        pieces: Pieces = [("padding", nn.ZeroPad2d((left, right, top, bottom)))] if uneven else []
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
        return [*pieces, ("", self.prepare(convolution))]

    def sliding_code(self, shape: Shape, filters: int, groups: int, bias: bool) -> list[tuple[str, str]]:
        """The same as code."""
        (top, bottom), (left, right) = self._padding(shape, self.strides)
        uneven = top != bottom or left != right
        pieces = [("padding", f"nn.ZeroPad2d(({left}, {right}, {top}, {bottom}))")] if uneven else []
        arguments = [str(shape.channels), str(filters), f"kernel_size={as_code(self.kernel_size)}"]
        if self.strides != (1, 1):
            arguments.append(f"stride={as_code(self.strides)}")
        # Padding by nothing is written too: by that "same" differs from "valid" where both do alike.
        if not uneven and self.padding == "same":
            arguments.append(f"padding={as_code((top, left))}")
        if self.dilation_rate != (1, 1):
            arguments.append(f"dilation={as_code(self.dilation_rate)}")
        if groups != 1:
            arguments.append(f"groups={groups}")
        if not bias:
            arguments.append("bias=False")
        return [*pieces, ("", self.prepare_code(f"nn.Conv2d({', '.join(arguments)})"))]

    def keras_convolution(self, shape: Shape, first: str, extra: str = "", groups: int = 1) -> list[str]:
        """The layer as Keras code: `first` are its first arguments, `extra` those before the activation.

        Keras refuses strides with dilation. The dilated convolution is then taken at every place, padded as
        its stride would have it, and a pooling of single pixels keeps those that the stride leaves.
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
        code += extra + keras_activation(self.activation)
        if not self.use_bias:
            code += ", use_bias=False"
        code += keras_kernel(self.kernel_initializer, self.kernel_l2, self.keras_kernels, groups)
        return [*before, code + ")", *after]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        kernel = kernel_from_keras(call, cls.keras_kernels)
        return super().from_keras(call).taking(kernel)

    @classmethod
    def from_keras_row(cls, calls: Sequence[Call]) -> Iterable[Self]:
        """A dilated convolution whose stride a pooling of single pixels makes up for."""
        convolution = next((call for call in calls if call.name == cls.type_name()), None)
        if convolution is None or calls[-1].name != "MaxPooling2D":
            return
        own = cls.from_keras(Arguments(convolution, cls.keras_calls[cls.type_name()]))
        strides = calls[-1].keywords.get("strides", (1, 1))
        for padding in ("valid", "same"):
            yield own.taking({"strides": strides, "padding": padding})

    @classmethod
    def sliding_values(cls, calls: Sequence[Call]) -> Iterator[tuple[Arguments, dict[str, Any]]]:
        """The first torch convolution of a row, with the shared parameters that it may stand for."""
        for call in calls[:2]:
            inner, prepared_values = unprepared(call)
            if inner.name != "Conv2d":
                continue
            arguments = Arguments(inner, PYTORCH_CONVOLUTION)
            for padding in ("valid", "same"):
                for activation in pytorch_activations(calls[1:4]):
                    yield (
                        arguments,
                        {
                            "kernel_size": arguments["kernel_size"],
                            "strides": arguments["stride"],
                            "dilation_rate": arguments["dilation"],
                            "use_bias": arguments["bias"],
                            "padding": padding,
                            "activation": activation,
                            **prepared_values,
                        },
                    )
            return

    def keras_helpers(self) -> tuple[str, ...]:
        return keras_kernel_helpers(self.kernel_initializer, self.keras_kernels)
