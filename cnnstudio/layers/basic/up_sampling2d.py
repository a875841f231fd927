"""Enlarging the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

from cnnstudio.core.parameters import choice, pair
from cnnstudio.layers.base import Family, Layer, NamedModules, ReceptiveField, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall
from cnnstudio.layers.shape import format_sizes
from cnnstudio.layers.sliding_window import pair_code, require_image


@dataclass(frozen=True)
class UpSampling2D(Layer):
    """Each pixel becomes `size` pixels: copies of it, or values interpolated between it and its neighbors."""

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Enlarges the image by an integer factor, without weights."
    usage_hint: ClassVar[str] = (
        "Use it to combine feature maps of two sizes, or to enlarge small images for pretrained weights."
    )
    order: ClassVar[int] = 3

    size: tuple[int, int] = pair((2, 2), maximum=64, help="factors for height × width")
    interpolation: str = choice(
        "nearest", ("nearest", "bilinear"), help="“nearest” copies pixels, “bilinear” interpolates"
    )

    keras_calls: ClassVar[Signatures] = {
        "UpSampling2D": "size=(2, 2), data_format=None, interpolation='nearest'",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Upsample": (
            "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None"
        ),
    }

    def summary(self) -> str:
        return f"{format_sizes(self.size)}, {self.interpolation}"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return Shape.of(shape.channels, shape.height * self.size[0], shape.width * self.size[1])

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        between = self.interpolation == "bilinear"
        down, right = self.size
        return ReceptiveField(
            (2 if between and down > 1 else 1, 2 if between and right > 1 else 1),
            (Fraction(1, down), Fraction(1, right)),
            (_first(down), _first(right)) if between else (0, 0),
        )

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.Upsample(scale_factor=self.size, mode=self.interpolation))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        mode = "" if self.interpolation == "nearest" else f', mode="{self.interpolation}"'
        return [("", f"nn.Upsample(scale_factor={pair_code(self.size)}{mode})")]

    def keras_code(self, shape: Shape) -> list[str]:
        mode = "" if self.interpolation == "nearest" else f', interpolation="{self.interpolation}"'
        return [f"layers.UpSampling2D({self.size}{mode})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Upsample"])
        factor = call["scale_factor"]
        yield cls(size=factor if isinstance(factor, tuple) else (factor, factor), interpolation=call["mode"])

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """The layer for a size instead of a factor, or for values that are aligned at the corners."""
        arguments = Arguments(call, cls.pytorch_calls["Upsample"])
        factor, size, mode = arguments["scale_factor"], arguments["size"], arguments["mode"]
        factors = _pair(factor)
        if size is not None and shape.is_image:
            height, width = _pair(size)
            factors = height / shape.height, width / shape.width
        if any(each != int(each) for each in factors):
            raise UnsupportedCall("does not enlarge the image by an integer factor")
        usual = mode if mode in ("nearest", "bilinear") else "bilinear"
        note = "" if mode == usual else f"its mode {mode} is not supported; {usual} is used instead"
        if arguments["align_corners"] and usual == "bilinear":
            note = "its align_corners is not supported; the centers of the pixels are aligned instead"
        values = {"size": (int(factors[0]), int(factors[1])), "interpolation": usual}
        return ((cls.type_name(), values),), note


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def _first(factor: int) -> Fraction:
    """The position of the first output value in input pixels.

    Centers of pixels are aligned by scale, as torch (align_corners=False) and Keras do: output i is at input
    position (i + 1/2) / factor - 1/2.
    """
    return Fraction(1, 2 * factor) - Fraction(1, 2)
