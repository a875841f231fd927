"""Layer normalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.layers.base import NamedModules, Remove, Shape, ShapeError
from cnnstudio.layers.code import Call, Signatures
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.normalization.base import Normalization, center_flag, epsilon_number, scale_flag

_HELPER = '''
class LayerNorm2d(nn.LayerNorm):
    """Normalizes (N, C, H, W) over the channels, separately at each position of the image."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
'''


@dataclass(frozen=True)
class LayerNormalization(Normalization):
    """Per position of the image, over the channels: (value - mean) / sqrt(variance + epsilon) * gamma + beta.

    From Ba, Kiros and Hinton 2016, Layer Normalization; over the last axis of (N, H, W, C), as in Keras and
    in ConvNeXt (Liu et al. 2022).
    """

    description: ClassVar[str] = (
        "Normalizes the channels at each position to mean 0 and variance 1, then rescales them."
    )
    usage_hint: ClassVar[str] = "Use it when the result should not depend on the other images of the batch."
    order: ClassVar[int] = 2

    epsilon: float = epsilon_number()
    center: bool = center_flag()
    scale: bool = scale_flag()

    keras_calls: ClassVar[Signatures] = {
        "LayerNormalization": (
            "axis=-1, epsilon=0.001, center=True, scale=True, rms_scaling=False, "
            "beta_initializer='zeros', gamma_initializer='ones', beta_regularizer=None, "
            "gamma_regularizer=None, beta_constraint=None, gamma_constraint=None"
        ),
    }
    pytorch_helper: ClassVar[str] = _HELPER
    pytorch_calls: ClassVar[Signatures] = {
        "LayerNorm": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True",
        "LayerNorm2d": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True",
    }

    def summary(self) -> str:
        return "over the channels" + self.affine_summary()

    def output_shape(self, shape: Shape) -> Shape:
        if shape.channels == 1:
            what = "channel" if shape.is_image else "feature"
            raise ShapeError(
                f"needs more than one {what}, but gets {shape}{{source}}",
                Remove(),
                assumed=shape,
                why="A single value equals its own mean, so normalizing it always gives 0.",
            )
        return shape

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        kind = load_helper("LayerNorm2d", _HELPER) if shape.is_image else nn.LayerNorm
        module = kind(shape.channels, eps=self.epsilon, elementwise_affine=self.is_affine)
        return [("", self.freeze(module))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        kind = "LayerNorm2d" if shape.is_image else "nn.LayerNorm"
        affine = "" if self.is_affine else ", elementwise_affine=False"
        code = f"{kind}({shape.channels}, eps={self.epsilon!r}{affine})"
        return [("", self.frozen_code(code))]

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"layers.LayerNormalization(epsilon={self.epsilon!r}{self.keras_affine_arguments()})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call, parts = cls.unwrap_frozen(calls[0], affine="elementwise_affine")
        yield cls(epsilon=call["eps"], **parts)
