"""Batch normalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self

from cnnstudio.core.parameters import number
from cnnstudio.layers.base import NamedModules, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall
from cnnstudio.layers.normalization.base import Normalization, center_flag, epsilon_number, scale_flag


@dataclass(frozen=True)
class BatchNormalization(Normalization):
    """Per channel, over the batch: (value - mean) / sqrt(variance + epsilon) * gamma + beta.

    From Ioffe and Szegedy 2015, Batch Normalization. `momentum` is Keras's: the fraction of the running mean
    that each step keeps, which is 1 - torch's momentum.
    """

    cancels_bias: ClassVar[bool] = True
    description: ClassVar[str] = (
        "Normalizes each feature map to mean 0 and variance 1 over the batch, then rescales it."
    )
    usage_hint: ClassVar[str] = (
        "Use it between a convolution and its activation to train deep networks faster."
    )
    order: ClassVar[int] = 1

    momentum: float = number(
        0.9, minimum=0.0, maximum=0.9999, help="fraction of the running mean kept at each step"
    )
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
        return f"momentum {self.momentum:g}" + self.affine_summary()

    def _torch_momentum(self) -> float:
        return _one_minus(self.momentum)

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        kind = nn.BatchNorm2d if shape.is_image else nn.BatchNorm1d
        momentum = self._torch_momentum()
        module = kind(shape.channels, eps=self.epsilon, momentum=momentum, affine=self.is_affine)
        return [("", self.freeze(module))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        kind = "BatchNorm2d" if shape.is_image else "BatchNorm1d"
        affine = "" if self.is_affine else ", affine=False"
        arguments = f"{shape.channels}, eps={self.epsilon!r}, momentum={self._torch_momentum()!r}{affine}"
        return [("", self.frozen_code(f"nn.{kind}({arguments})"))]

    def keras_code(self, shape: Shape) -> list[str]:
        parts = self.keras_affine_arguments()
        return [f"layers.BatchNormalization(momentum={self.momentum!r}, epsilon={self.epsilon!r}{parts})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call, parts = cls.unwrap_frozen(calls[0])
        momentum = call["momentum"]
        if momentum is None:
            raise UnsupportedCall("averages over all batches (momentum None)")
        yield cls(momentum=_one_minus(momentum), epsilon=call["eps"], **parts)

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """The layer without what it does not have: other averages over the batches, or none at all."""
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        momentum, affine = arguments["momentum"], bool(arguments["affine"])
        values = {"epsilon": arguments["eps"], "center": affine, "scale": affine}
        if not arguments["track_running_stats"]:
            note = "it always uses the statistics of the batch; here it uses running averages after training"
            return ((cls.type_name(), values),), note
        if momentum is None:
            note = "it averages over all batches (momentum None); a momentum of 0.9 is used instead"
            return ((cls.type_name(), values),), note
        return (), ""


def _one_minus(momentum: float) -> float:
    """1 - momentum, exact in decimal: 0.1 for 0.9, where floats give 0.09999999999999998."""
    return float(1 - Decimal(repr(momentum)))
