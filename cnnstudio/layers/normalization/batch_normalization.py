"""Batch normalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self

from cnnstudio.core.parameters import number
from cnnstudio.layers.base import Pieces, Shape
from cnnstudio.layers.code import Call, NotDrawable, Signatures
from cnnstudio.layers.normalization.base import Normalization, center_flag, epsilon_number, scale_flag


@dataclass(frozen=True)
class BatchNormalization(Normalization):
    """Per channel: (value - mean) / sqrt(variance + epsilon) * gamma + beta (Ioffe and Szegedy 2015).

    `momentum` is Keras's: the share of the old running mean that each step keeps, 1 - torch's.
    """

    cancels_bias: ClassVar[bool] = True
    description: ClassVar[str] = (
        "Gives each feature map mean 0 and spread 1 over the batch, then rescales it."
    )
    advice: ClassVar[str] = "Use it between a convolution and its activation; deep networks learn faster."
    order: ClassVar[int] = 1

    momentum: float = number(0.9, minimum=0.0, maximum=0.9999, help="how slowly the running mean follows")
    epsilon: float = epsilon_number()
    center: bool = center_flag()
    scale: bool = scale_flag()

    keras_calls: ClassVar[Signatures] = {
        "BatchNormalization": (
            "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', "
            "gamma_initializer='ones', moving_mean_initializer='zeros', "
            "moving_variance_initializer='ones', beta_regularizer=None, gamma_regularizer=None"
        ),
    }
    pytorch_calls: ClassVar[Signatures] = {
        "BatchNorm2d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True",
        "BatchNorm1d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True",
    }

    def summary(self) -> str:
        return f"momentum {self.momentum:g}" + self.parts_summary()

    def _torch_momentum(self) -> float:
        return _rest(self.momentum)

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        kind = nn.BatchNorm2d if shape.is_image else nn.BatchNorm1d
        momentum = self._torch_momentum()
        module = kind(shape.channels, eps=self.epsilon, momentum=momentum, affine=self.is_affine)
        return [("", self.freeze(module))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        kind = "BatchNorm2d" if shape.is_image else "BatchNorm1d"
        affine = "" if self.is_affine else ", affine=False"
        arguments = f"{shape.channels}, eps={self.epsilon!r}, momentum={self._torch_momentum()!r}{affine}"
        return [("", self.frozen_code(f"nn.{kind}({arguments})"))]

    def keras(self, shape: Shape) -> list[str]:
        parts = self.keras_parts()
        return [f"layers.BatchNormalization(momentum={self.momentum!r}, epsilon={self.epsilon!r}{parts})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call, parts = cls.thawed(calls[0])
        momentum = call["momentum"]
        if momentum is None:
            raise NotDrawable("averages over all batches, which no layer here does")
        yield cls(momentum=_rest(momentum), epsilon=call["eps"], **parts)


def _rest(share: float) -> float:
    """1 - share as one reckons with written digits: 0.1 for 0.9, where floats give 0.09999999999999998."""
    return float(1 - Decimal(repr(share)))
