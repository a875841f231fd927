"""Shuffles the channels of the groups of a grouped convolution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import Family, Layer, NamedModules, SetParameters, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.sliding_window import require_image

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class ChannelShuffle(layers.Layer):
    """The first channel of each group, then the second channel of each group, and so on."""

    def __init__(self, groups=2, **options):
        super().__init__(**options)
        self.groups = groups

    def call(self, x):
        height, width, channels = x.shape[1:]
        x = keras.ops.reshape(x, (-1, height, width, self.groups, channels // self.groups))
        x = keras.ops.transpose(x, (0, 1, 2, 4, 3))
        return keras.ops.reshape(x, (-1, height, width, channels))

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}
'''


@dataclass(frozen=True)
class ChannelShuffle(Layer):
    """The first channel of each group, then the second channel of each group, and so on.

    From Zhang et al. 2018, ShuffleNet.
    """

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Distributes the channels of each group over all groups."
    usage_hint: ClassVar[str] = "Use it between grouped convolutions, whose groups otherwise never mix."
    order: ClassVar[int] = 4

    groups: int = integer(2, maximum=65_536, help="number of groups of the preceding convolution")

    keras_helper: ClassVar[str] = _KERAS_HELPER
    keras_calls: ClassVar[Signatures] = {"ChannelShuffle": "groups=2"}
    pytorch_calls: ClassVar[Signatures] = {"ChannelShuffle": "groups"}

    def summary(self) -> str:
        return f"{self.groups} groups"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        if shape.channels % self.groups:
            raise ShapeError(
                f"cannot split {shape.channels} channels{{source}} into {self.groups} equal groups",
                SetParameters({"groups": 1}, "set groups to 1"),
                assumed=shape,
                why="Each group has an equal share of the channels.",
            )
        return shape

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.ChannelShuffle(self.groups))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"nn.ChannelShuffle({self.groups})")]

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"ChannelShuffle(groups={self.groups})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        return (cls(groups=Arguments(calls[0], cls.pytorch_calls["ChannelShuffle"])["groups"]),)
