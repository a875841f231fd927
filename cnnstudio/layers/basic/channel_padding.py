"""Channels of zeros."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import Family, Layer, NamedModules, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall
from cnnstudio.layers.sliding_window import require_image

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class ChannelPadding(layers.Layer):
    """Adds channels of zeros before and after those of its input."""

    def __init__(self, before=0, after=1, **options):
        super().__init__(**options)
        self.before = before
        self.after = after

    def call(self, x):
        return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (self.before, self.after)))

    def get_config(self):
        return {**super().get_config(), "before": self.before, "after": self.after}
'''


@dataclass(frozen=True)
class ChannelPadding(Layer):
    """Zeros of `before` channels, the input, zeros of `after` channels.

    Option A of He et al. 2015, Deep Residual Learning for Image Recognition.
    """

    family: ClassVar[Family] = Family.CORE
    description: ClassVar[str] = "Adds channels of zeros before and after those of its input."
    usage_hint: ClassVar[str] = "Use it in a shortcut without weights around layers that add channels."
    order: ClassVar[int] = 6

    before: int = integer(0, minimum=0, maximum=65_536, help="channels of zeros to add in front")
    after: int = integer(1, minimum=0, maximum=65_536, help="channels of zeros to add at the end")

    keras_helper: ClassVar[str] = _KERAS_HELPER
    keras_calls: ClassVar[Signatures] = {"ChannelPadding": "before=0, after=1"}
    pytorch_calls: ClassVar[Signatures] = {"ZeroPad3d": "padding"}

    def summary(self) -> str:
        return f"{self.before} before, {self.after} after"

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return Shape.of(self.before + shape.channels + self.after, shape.height, shape.width)

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        return [("", nn.ZeroPad3d(self._border()))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"nn.ZeroPad3d({self._border()})")]

    def _border(self) -> tuple[int, int, int, int, int, int]:
        """What torch adds to (left, right, top, bottom, front, back); in images, channels are the depth."""
        return (0, 0, 0, 0, self.before, self.after)

    def keras_code(self, shape: Shape) -> list[str]:
        return [f"ChannelPadding(before={self.before}, after={self.after})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        border: Any = Arguments(calls[0], cls.pytorch_calls["ZeroPad3d"])["padding"]
        if not isinstance(border, tuple | list) or len(border) != 6:
            raise UnsupportedCall("needs a padding of six numbers")
        return (cls(before=border[4], after=border[5]),)
