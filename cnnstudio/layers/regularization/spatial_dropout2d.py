"""Dropout of whole feature maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import number
from cnnstudio.layers.base import Family, Layer, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.sliding_window import require_image


@dataclass(frozen=True)
class SpatialDropout2D(Layer):
    """During training, sets whole feature maps to zero and scales the rest by 1 / (1 - rate).

    From Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks, section 3.2.
    """

    family: ClassVar[Family] = Family.REGULARIZATION
    role: ClassVar[Role] = Role.DROPOUT
    description: ClassVar[str] = "Sets whole feature maps to zero at random during training."
    usage_hint: ClassVar[str] = (
        "Use it between convolutions, where neighboring values carry the same information."
    )
    order: ClassVar[int] = 1

    rate: float = number(0.2, minimum=0.0, maximum=0.99, help="fraction of the feature maps set to zero")

    keras_calls: ClassVar[Signatures] = {
        "SpatialDropout2D": "rate, seed=None, data_format=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Dropout2d": "p=0.5, inplace=False",
    }

    def summary(self) -> str:
        return f"rate {self.rate:g}"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return shape

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.Dropout2d(self.rate))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"nn.Dropout2d({self.rate!r})")]

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"layers.SpatialDropout2D({self.rate!r})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return (cls(rate=Arguments(calls[0], cls.pytorch_calls["Dropout2d"])["p"]),)
