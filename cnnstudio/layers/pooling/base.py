"""What MaxPooling2D and AveragePooling2D share: a window that slides and keeps one value per channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cnnstudio.core.parameters import choice, pair
from cnnstudio.layers.base import Layer, Remove, Shape, ShapeError, Window
from cnnstudio.layers.code import Arguments, Call, NotDrawable, same
from cnnstudio.layers.shape import times
from cnnstudio.layers.sliding_window import as_code, output_size, same_padding

KERAS_POOLING = "pool_size=(2, 2), strides=None, padding='valid', data_format=None"
"""The signature of Keras's poolings."""


@dataclass(frozen=True)
class TorchPooling:
    """Arguments of a torch pooling that give Keras's "valid" or "same", and the crop that has to follow."""

    padding: tuple[int, int]
    ceil_mode: bool
    crop: tuple[int, int]

    @property
    def crop_padding(self) -> tuple[int, int, int, int]:
        """The crop as torch's (left, right, top, bottom) padding."""
        return -self.crop[1], 0, -self.crop[0], 0


@dataclass(frozen=True)
class Pooling2D(Layer):
    """A window of `pool_size` slides over each feature map."""

    pool_size: tuple[int, int] = pair((2, 2), maximum=255, help="height × width in pixels")
    strides: tuple[int, int] | None = pair(
        None, maximum=255, optional=True, empty="as pool size", help="pixels from one window to the next"
    )
    padding: str = choice("valid", ("valid", "same"), help="“same” pools the border too")

    def summary(self) -> str:
        text = times(self.pool_size)
        if self._strides() != self.pool_size:
            text += f", stride {as_code(self._strides())}"
        return text if self.padding == "valid" else f"{text}, {self.padding}"

    def _strides(self) -> tuple[int, int]:
        return self.strides or self.pool_size

    def output_shape(self, shape: Shape) -> Shape:
        try:
            size = output_size(shape, self.pool_size, self._strides(), self.padding, called="pool_size")
        except ShapeError as error:
            if shape.is_image:
                error.fixes = (*error.fixes, Remove())
            raise
        return Shape.of(shape.channels, *size)

    def window(self, shape: Shape) -> Window:
        start = (0, 0)
        if self.padding == "same":
            sizes = zip((shape.height, shape.width), self.pool_size, self._strides(), strict=True)
            top, left = (same_padding(*size)[0] for size in sizes)
            start = -top, -left
        return Window(self.pool_size, self._strides(), start)

    def torch_pooling(self, shape: Shape) -> TorchPooling:
        """How torch, which pads both sides alike, gets what Keras's padding gives.

        Where "same" needs one pixel more at the end: with a stride of 2 or more torch's ceil_mode adds just
        that last window; with a stride of 1 both sides take the larger padding and the first row or column is
        cropped.
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

    def pytorch_pooling(self, shape: Shape, class_name: str, extra: str = "") -> list[tuple[str, str]]:
        """The expressions for `class_name`, `MaxPool2d` or `AvgPool2d`."""
        pooling = self.torch_pooling(shape)
        arguments = [as_code(self.pool_size)]
        if self.strides is not None:
            arguments.append(f"stride={as_code(self.strides)}")
        # Padding by nothing is written too: only by that does "same" differ from "valid" where they do alike.
        if self.padding == "same":
            arguments.append(f"padding={as_code(pooling.padding)}")
        if pooling.ceil_mode:
            arguments.append("ceil_mode=True")
        pieces = [("", f"nn.{class_name}({', '.join(arguments)}{extra})")]
        if pooling.crop != (0, 0):
            pieces.append(("crop", f"nn.ZeroPad2d({pooling.crop_padding})"))
        return pieces

    def keras(self, shape: Shape) -> list[str]:
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
            # torch's own default is the size, so that a stride of just that is one that the code leaves out.
            yield cls(pool_size=size, strides=strides, padding=padding)

    @classmethod
    def padded(cls, call: Arguments) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """A border of zeros and then the pooling, in place of a padding that is not Keras's "same"."""
        dilated = "dilation" in call and not same(call["dilation"], 1)
        if call["ceil_mode"] or dilated:
            raise NotDrawable("has a ceil_mode or a dilation, which no pooling here has")
        padding = call["padding"]
        height, width = (padding, padding) if isinstance(padding, int) else padding
        values = {"pool_size": call["kernel_size"], "strides": call["stride"]}
        if not height and not width:
            return ((cls.type_name(), values),), ""
        border = ("ZeroPadding2D", {"padding": ((height, height), (width, width))})
        return (border, (cls.type_name(), values)), ""
