"""Enlarging the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, pair
from cnnstudio.layers.base import Family, Layer, Pieces, Shape, Window
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.shape import times
from cnnstudio.layers.sliding_window import as_code, require_image


@dataclass(frozen=True)
class UpSampling2D(Layer):
    """Each pixel becomes `size` pixels: copies of it, or values between it and its neighbors."""

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Enlarges the image by whole factors, without any weights."
    advice: ClassVar[str] = "Use it where small feature maps have to meet larger ones again."
    order: ClassVar[int] = 3

    size: tuple[int, int] = pair((2, 2), maximum=64, help="factors for height × width")
    interpolation: str = choice(
        "nearest", ("nearest", "bilinear"), help="“bilinear” puts values between the pixels"
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
        return f"{times(self.size)}, {self.interpolation}"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return Shape.of(shape.channels, shape.height * self.size[0], shape.width * self.size[1])

    def window(self, shape: Shape) -> Window:
        between = self.interpolation == "bilinear"
        down, right = self.size
        return Window(
            (2 if between and down > 1 else 1, 2 if between and right > 1 else 1),
            (Fraction(1, down), Fraction(1, right)),
            (_first(down), _first(right)) if between else (0, 0),
        )

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return [("", nn.Upsample(scale_factor=self.size, mode=self.interpolation))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        mode = "" if self.interpolation == "nearest" else f', mode="{self.interpolation}"'
        return [("", f"nn.Upsample(scale_factor={as_code(self.size)}{mode})")]

    def keras(self, shape: Shape) -> list[str]:
        mode = "" if self.interpolation == "nearest" else f', interpolation="{self.interpolation}"'
        return [f"layers.UpSampling2D({self.size}{mode})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Upsample"])
        factor, size = call["scale_factor"], call["size"]
        if factor is None and size is not None and shape.is_image:
            height, width = (size, size) if isinstance(size, int) else size
            factor = height / shape.height, width / shape.width
        yield cls(size=factor if isinstance(factor, tuple) else (factor, factor), interpolation=call["mode"])


def _first(factor: int) -> Fraction:
    """Where the middle of the first value falls among those of the pixels, as torch and Keras place it."""
    return Fraction(1, 2 * factor) - Fraction(1, 2)
