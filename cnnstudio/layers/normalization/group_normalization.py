"""Group normalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import NamedModules, Remove, SetParameters, Shape, ShapeError
from cnnstudio.layers.code import Call, Signatures
from cnnstudio.layers.normalization.base import Normalization, center_flag, epsilon_number, scale_flag


@dataclass(frozen=True)
class GroupNormalization(Normalization):
    """Per image and group of channels: (value - mean) / sqrt(variance + epsilon) * gamma + beta.

    From Wu and He 2018, Group Normalization. The receptive field ignores mean and variance, which depend on
    the whole image.
    """

    description: ClassVar[str] = (
        "Normalizes groups of feature maps to mean 0 and variance 1 within each image, then rescales."
    )
    usage_hint: ClassVar[str] = "Use it instead of BatchNormalization when batches are small."
    order: ClassVar[int] = 3

    groups: int = integer(8, maximum=65_536, help="number of equal groups the channels are split into")
    epsilon: float = epsilon_number()
    center: bool = center_flag()
    scale: bool = scale_flag()

    keras_calls: ClassVar[Signatures] = {
        "GroupNormalization": (
            "groups=32, axis=-1, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', "
            "gamma_initializer='ones', beta_regularizer=None, gamma_regularizer=None, "
            "beta_constraint=None, gamma_constraint=None"
        ),
    }
    pytorch_calls: ClassVar[Signatures] = {
        "GroupNorm": "num_groups, num_channels, eps=1e-05, affine=True",
    }

    def summary(self) -> str:
        groups = f"{self.groups} groups" if self.groups > 1 else "1 group"
        return groups + self.affine_summary()

    def output_shape(self, shape: Shape) -> Shape:
        if shape.channels % self.groups:
            raise ShapeError(
                f"cannot split {shape.channels} channels{{source}} into {self.groups} equal groups",
                self._fitting_groups(shape),
                assumed=shape,
                why="Each group is normalized separately over an equal share of the channels.",
            )
        if shape.size == self.groups:
            raise ShapeError(
                f"needs more than one value in each of its {self.groups} groups, but gets {shape}{{source}}",
                Remove() if shape.size == 1 else self._fitting_groups(shape),
                assumed=shape,
                why="A single value equals its own mean, so normalizing it always gives 0.",
            )
        return shape

    def _fitting_groups(self, shape: Shape) -> SetParameters:
        """Fix: the closest number of groups that divides the channels and leaves several values per group."""
        fitting = [
            groups
            for groups in range(1, min(shape.channels, 65_536) + 1)
            if shape.channels % groups == 0 and (groups < shape.size or shape.size == 1)
        ]
        nearest = min(fitting, key=lambda groups: (abs(groups - self.groups), groups))
        return SetParameters({"groups": nearest}, f"set groups to {nearest}")

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        module = nn.GroupNorm(self.groups, shape.channels, eps=self.epsilon, affine=self.is_affine)
        return [("", self.freeze(module))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        affine = "" if self.is_affine else ", affine=False"
        code = f"nn.GroupNorm({self.groups}, {shape.channels}, eps={self.epsilon!r}{affine})"
        return [("", self.frozen_code(code))]

    def keras_code(self, shape: Shape) -> list[str]:
        parts = self.keras_affine_arguments()
        return [f"layers.GroupNormalization(groups={self.groups}, epsilon={self.epsilon!r}{parts})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call, parts = cls.unwrap_frozen(calls[0])
        yield cls(groups=call["num_groups"], epsilon=call["eps"], **parts)
