"""A border of zeros."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import sides
from cnnstudio.layers.base import Family, Layer, Pieces, Shape, Window
from cnnstudio.layers.code import Arguments, Call, NotDrawable, Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class ZeroPadding2D(Layer):
    """Rows and columns of zeros around each feature map: ((top, bottom), (left, right))."""

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Puts a border of zeros around the image, so it grows."
    advice: ClassVar[str] = (
        "Use it where a convolution has to see past the edge in another way than “same” does."
    )
    order: ClassVar[int] = 2

    padding: tuple[tuple[int, int], tuple[int, int]] = sides(
        1, maximum=255, help="pixels to add", unit="pixels"
    )

    keras_calls: ClassVar[Signatures] = {
        "ZeroPadding2D": "padding=(1, 1), data_format=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "ZeroPad2d": "padding",
    }

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        (top, bottom), (left, right) = self.padding
        return Shape.of(shape.channels, shape.height + top + bottom, shape.width + left + right)

    def window(self, shape: Shape) -> Window:
        (top, _), (left, _) = self.padding
        return Window(start=(-top, -left))

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        (top, bottom), (left, right) = self.padding
        return [("", nn.ZeroPad2d((left, right, top, bottom)))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        (top, bottom), (left, right) = self.padding
        alike = top == bottom == left == right
        return [("", f"nn.ZeroPad2d({top if alike else (left, right, top, bottom)})")]

    def keras(self, shape: Shape) -> list[str]:
        (top, bottom), (left, right) = self.padding
        even = top == bottom and left == right
        return [f"layers.ZeroPadding2D({(top, left) if even else self.padding})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        padding = Arguments(calls[0], cls.pytorch_calls["ZeroPad2d"])["padding"]
        if isinstance(padding, int):
            padding = [padding] * 4
        if not isinstance(padding, tuple | list) or len(padding) != 4:
            raise NotDrawable("needs four numbers")
        left, right, top, bottom = padding
        return (cls(padding=((top, bottom), (left, right))),)
