"""Dropout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import number
from cnnstudio.layers.base import Family, Layer, Pieces, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures


@dataclass(frozen=True)
class Dropout(Layer):
    """While training, sets values to zero at random and scales the rest by 1 / (1 - rate)."""

    family: ClassVar[Family] = Family.REGULARIZATION
    role: ClassVar[Role] = Role.DROPS
    description: ClassVar[str] = "Sets random values to zero while training."
    advice: ClassVar[str] = "Use it before Dense layers against overfitting."

    rate: float = number(0.5, minimum=0.0, maximum=0.99, help="share of the values that is set to zero")

    keras_calls: ClassVar[Signatures] = {
        "Dropout": "rate, noise_shape=None, seed=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Dropout": "p=0.5, inplace=False",
    }

    def summary(self) -> str:
        return f"rate {self.rate:g}"

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        return [("", nn.Dropout(self.rate))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"nn.Dropout({self.rate!r})")]

    def keras(self, shape: Shape) -> list[str]:
        return [f"layers.Dropout({self.rate!r})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return (cls(rate=Arguments(calls[0], cls.pytorch_calls["Dropout"])["p"]),)
