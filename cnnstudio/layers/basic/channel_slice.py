"""Some of the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import Family, Fix, Layer, NamedModules, SetParameters, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.sliding_window import require_image

_HELPER = '''
class ChannelSlice(nn.Module):
    """Passes on so many channels, from `start` on, and drops the others."""

    def __init__(self, start, channels):
        super().__init__()
        self.start = start
        self.stop = start + channels

    def forward(self, x):
        return x[:, self.start : self.stop]
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class ChannelSlice(layers.Layer):
    """Passes on so many channels, from `start` on, and drops the others."""

    def __init__(self, start=0, channels=1, **options):
        super().__init__(**options)
        self.start = start
        self.channels = channels

    def call(self, x):
        return x[..., self.start : self.start + self.channels]

    def get_config(self):
        return {**super().get_config(), "start": self.start, "channels": self.channels}
'''


@dataclass(frozen=True)
class ChannelSlice(Layer):
    """x[:, start : start + channels]."""

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Passes on some of the channels and drops the others."
    usage_hint: ClassVar[str] = "Use it first in the branches of a Parallel, to split the channels."
    order: ClassVar[int] = 5

    start: int = integer(0, minimum=0, maximum=65_536, help="first channel to keep, counted from 0")
    channels: int = integer(1, maximum=65_536, help="number of channels to keep")

    pytorch_helper: ClassVar[str] = _HELPER
    keras_helper: ClassVar[str] = _KERAS_HELPER
    keras_calls: ClassVar[Signatures] = {"ChannelSlice": "start=0, channels=1"}
    pytorch_calls: ClassVar[Signatures] = {"ChannelSlice": "start, channels"}

    def summary(self) -> str:
        last = self.start + self.channels - 1
        return f"channel {self.start}" if self.channels == 1 else f"channels {self.start} to {last}"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        kept = Shape.of(self.channels, *shape.dims[1:])
        left = shape.channels - self.start
        if left >= self.channels:
            return kept
        fixes: tuple[Fix, ...] = (SetParameters({"start": 0}, "set start to 0"),)
        if left > 0:
            fixes = (SetParameters({"channels": left}, f"set channels to {left}"),)
        raise ShapeError(
            f"cannot take {self.summary()} of {shape.channels}{{source}}: the last one is "
            f"{shape.channels - 1}",
            fixes,
            assumed=kept,
            why="Channels are counted from 0, and only those of the input can be taken.",
        )

    def build(self, shape: Shape) -> NamedModules:
        return [("", load_helper("ChannelSlice", _HELPER)(self.start, self.channels))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"ChannelSlice({self.start}, {self.channels})")]

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"ChannelSlice(start={self.start}, channels={self.channels})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["ChannelSlice"])
        return (cls(start=call["start"], channels=call["channels"]),)
