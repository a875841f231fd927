"""Dropout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import number
from cnnstudio.layers.base import Family, Layer, NamedModules, Role, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures


@dataclass(frozen=True)
class Dropout(Layer):
    """During training, sets values to zero at random and scales the rest by 1 / (1 - rate).

    From Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.
    """

    family: ClassVar[Family] = Family.REGULARIZATION
    role: ClassVar[Role] = Role.DROPOUT
    description: ClassVar[str] = "Sets random values to zero during training."
    usage_hint: ClassVar[str] = "Use it before Dense layers to reduce overfitting."

    rate: float = number(0.5, minimum=0.0, maximum=0.99, help="fraction of the values set to zero")

    keras_calls: ClassVar[Signatures] = {
        "Dropout": "rate, noise_shape=None, seed=None",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Dropout": "p=0.5, inplace=False",
    }

    def summary(self) -> str:
        return f"rate {self.rate:g}"

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.Dropout(self.rate))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"nn.Dropout({self.rate!r})")]

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"layers.Dropout({self.rate!r})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return (cls(rate=Arguments(calls[0], cls.pytorch_calls["Dropout"])["p"]),)
