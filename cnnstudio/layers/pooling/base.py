"""The base of MaxPooling2D and AveragePooling2D: a sliding window that keeps one value per channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cnnstudio.core.parameters import choice, pair
from cnnstudio.layers.base import Layer, ReceptiveField, Remove, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Call, UnsupportedCall, is_same_value
from cnnstudio.layers.shape import format_sizes
from cnnstudio.layers.sliding_window import output_size, pair_code, same_padding

KERAS_POOLING = "pool_size=(2, 2), strides=None, padding='valid', data_format=None"
"""The signature of Keras's pooling layers."""


@dataclass(frozen=True)
class TorchPooling:
    """Arguments of a torch pooling that reproduce Keras's "valid" or "same", and the crop needed after it."""

    padding: tuple[int, int]
    ceil_mode: bool
    crop: tuple[int, int]

    @property
    def crop_padding(self) -> tuple[int, int, int, int]:
        """The crop as negative torch padding, (left, right, top, bottom)."""
        return -self.crop[1], 0, -self.crop[0], 0


@dataclass(frozen=True)
class Pooling2D(Layer):
    """A window of `pool_size` slides over each feature map."""

    pool_size: tuple[int, int] = pair((2, 2), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] | None = pair(
        None, maximum=255, optional=True, empty="as pool size", help="pixels between neighboring windows"
    )
    padding: str = choice(
        "valid", ("valid", "same"), help="“same” also pools incomplete windows at the border"
    )

    def summary(self) -> str:
        text = format_sizes(self.pool_size)
        if self._strides() != self.pool_size:
            text += f", stride {pair_code(self._strides())}"
        return text if self.padding == "valid" else f"{text}, {self.padding}"

    def _strides(self) -> tuple[int, int]:
        return self.strides or self.pool_size

    def output_shape(self, shape: Shape) -> Shape:
        try:
            size = output_size(shape, self.pool_size, self._strides(), self.padding, kernel_name="pool_size")
        except ShapeError as error:
            if shape.is_image:
                error.fixes = (*error.fixes, Remove())
            raise
        return Shape.of(shape.channels, *size)

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        start = (0, 0)
        if self.padding == "same":
            sizes = zip((shape.height, shape.width), self.pool_size, self._strides(), strict=True)
            top, left = (same_padding(*size)[0] for size in sizes)
            start = -top, -left
        return ReceptiveField(self.pool_size, self._strides(), start)

    def torch_pooling(self, shape: Shape) -> TorchPooling:
        """How to reproduce Keras's padding in torch, which pads both sides equally.

        If "same" needs one more pixel at the end: at a stride of 2 or more, torch's ceil_mode adds exactly
        the missing last window; at a stride of 1, both sides get the larger padding and the first row or
        column of the output is cropped.
        """
        if self.padding == "valid":
            return TorchPooling((0, 0), False, (0, 0))
        padding, crop, ceil_mode = [0, 0], [0, 0], False
        for axis, size in enumerate((shape.height, shape.width)):
            stride = self._strides()[axis]
            before, after = same_padding(size, self.pool_size[axis], stride)
            padding[axis] = before
            if after > before and stride == 1:
                padding[axis], crop[axis] = after, 1
            elif after > before:
                ceil_mode = True
        return TorchPooling((padding[0], padding[1]), ceil_mode, (crop[0], crop[1]))

    def pytorch_pooling_code(self, shape: Shape, class_name: str, extra: str = "") -> list[tuple[str, str]]:
        """The expressions for `class_name`, `MaxPool2d` or `AvgPool2d`."""
        pooling = self.torch_pooling(shape)
        arguments = [pair_code(self.pool_size)]
        if self.strides is not None:
            arguments.append(f"stride={pair_code(self.strides)}")
        # Written even if it is 0: that tells "same" from "valid" on import when both give the same result.
        if self.padding == "same":
            arguments.append(f"padding={pair_code(pooling.padding)}")
        if pooling.ceil_mode:
            arguments.append("ceil_mode=True")
        modules = [("", f"nn.{class_name}({', '.join(arguments)}{extra})")]
        if pooling.crop != (0, 0):
            modules.append(("crop", f"nn.ZeroPad2d({pooling.crop_padding})"))
        return modules

    def keras_code(self, shape: Shape) -> list[str]:
        code = f"layers.{self.type_name()}({self.pool_size}"
        if self.strides is not None:
            code += f", strides={self.strides}"
        return [code + (', padding="same")' if self.padding == "same" else ")")]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        if calls[0].name == "ZeroPad2d":
            return
        call = Arguments(calls[0], cls.pytorch_calls[calls[0].name])
        size, strides = call["kernel_size"], call["stride"]
        for padding in ("valid", "same"):
            # A stride of None means the pool size in torch as well, so it is passed on as it is.
            yield cls(pool_size=size, strides=strides, padding=padding)

    @classmethod
    def with_zero_padding(cls, call: Arguments) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """Explicit zero padding, then the pooling, for a padding that is not Keras's "same".

        Raises UnsupportedCall for ceil_mode or dilation.
        """
        dilated = "dilation" in call and not is_same_value(call["dilation"], 1)
        if call["ceil_mode"] or dilated:
            raise UnsupportedCall("uses ceil_mode or dilation, which is not supported")
        padding = call["padding"]
        height, width = (padding, padding) if isinstance(padding, int) else padding
        values = {"pool_size": call["kernel_size"], "strides": call["stride"]}
        if not height and not width:
            return ((cls.type_name(), values),), ""
        border = ("ZeroPadding2D", {"padding": ((height, height), (width, width))})
        return (border, (cls.type_name(), values)), ""

    @classmethod
    def adaptive(cls, output: Any, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """The layer that pools to a given size, with adjacent windows of one size.

        Raises UnsupportedCall if they do not divide the image evenly.
        """
        height, width = output if isinstance(output, list | tuple) else (output, output)
        if shape.is_image:
            # None keeps the size.
            height, width = height or shape.height, width or shape.width
        if not shape.is_image or shape.height % height or shape.width % width:
            raise UnsupportedCall(
                f"pools {shape} to {height} × {width}, which needs windows of several sizes"
            )
        size = shape.height // height, shape.width // width
        if size == (1, 1):
            return (), f"it has no effect at {shape.height} × {shape.width} and is left out"
        return ((cls.type_name(), {"pool_size": size}),), ""
