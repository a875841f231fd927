"""A border of zeros."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.core.parameters import sides
from cnnstudio.layers.base import Family, Layer, NamedModules, ReceptiveField, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall, is_same_value
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class ZeroPadding2D(Layer):
    """Adds rows and columns of zeros around each feature map: ((top, bottom), (left, right))."""

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Adds a border of zeros around the image."
    usage_hint: ClassVar[str] = "Use it before a convolution that needs other padding than “same”."
    order: ClassVar[int] = 2

    padding: tuple[tuple[int, int], tuple[int, int]] = sides(
        1, maximum=255, help="rows and columns to add", unit="pixels"
    )

    keras_calls: ClassVar[Signatures] = {
        "ZeroPadding2D": "padding=(1, 1), data_format=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "ZeroPad2d": "padding",
        "ConstantPad2d": "padding, value",
        "ReflectionPad2d": "padding",
        "ReplicationPad2d": "padding",
        "CircularPad2d": "padding",
    }

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        (top, bottom), (left, right) = self.padding
        return Shape.of(shape.channels, shape.height + top + bottom, shape.width + left + right)

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        (top, _), (left, _) = self.padding
        return ReceptiveField(start=(-top, -left))

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        (top, bottom), (left, right) = self.padding
        return [("", nn.ZeroPad2d((left, right, top, bottom)))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        (top, bottom), (left, right) = self.padding
        is_uniform = top == bottom == left == right
        return [("", f"nn.ZeroPad2d({top if is_uniform else (left, right, top, bottom)})")]

    def keras_code(self, shape: Shape) -> list[str]:
        (top, bottom), (left, right) = self.padding
        is_symmetric = top == bottom and left == right
        return [f"layers.ZeroPadding2D({(top, left) if is_symmetric else self.padding})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        if calls[0].name != "ZeroPad2d":
            return ()
        return (cls(padding=_sides(Arguments(calls[0], cls.pytorch_calls["ZeroPad2d"])["padding"])),)

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """Zeros in place of a border of other values."""
        if call.name == "ZeroPad2d":
            return (), ""
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        layer = cls.type_name(), {"padding": _sides(arguments["padding"])}
        is_zero = call.name == "ConstantPad2d" and is_same_value(arguments["value"], 0)
        return (layer,), "" if is_zero else "its border is filled with zeros instead"


def _sides(padding: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) for torch's (left, right, top, bottom) or a single number."""
    if isinstance(padding, int):
        padding = [padding] * 4
    if not isinstance(padding, tuple | list) or len(padding) != 4:
        raise UnsupportedCall("needs a padding of four numbers")
    left, right, top, bottom = padding
    return (top, bottom), (left, right)
