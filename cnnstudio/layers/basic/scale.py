"""One factor for all values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, number
from cnnstudio.layers.base import Family, Layer, Pieces, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import helper

_HELPER = '''
class Scale(nn.Module):
    """Multiplies every value by one factor, which may be trained."""

    def __init__(self, factor, trainable=False):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor)) if trainable else factor

    def forward(self, x):
        return x * self.factor
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class Scale(layers.Layer):
    """Multiplies every value by one trained factor."""

    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.start = factor

    def build(self, shape):
        self.factor = self.add_weight(
            name="factor", shape=(), initializer=keras.initializers.Constant(self.start)
        )

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.start}
'''


@dataclass(frozen=True)
class Scale(Layer):
    """value * factor; the factor stands still, or is a single trained number that begins there."""

    family: ClassVar[Family] = Family.ACTIVATION
    description: ClassVar[str] = "Multiplies every value by one and the same factor."
    advice: ClassVar[str] = "Use it after the last Dense, to keep the scores of a fast learner small."
    order: ClassVar[int] = 5

    factor: float = number(1.0, minimum=-1000.0, maximum=1000.0, help="what every value is multiplied by")
    trainable: bool = flag(False, help="whether the factor is trained")

    pytorch_helper: ClassVar[str] = _HELPER

    keras_calls: ClassVar[Signatures] = {
        "Scale": "factor=1.0",
        "Rescaling": "scale, offset=0.0",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Scale": "factor, trainable=False",
    }

    def summary(self) -> str:
        return f"× {self.factor:.4g}" + (", trained" if self.trainable else "")

    def parameter_count(self, shape: Shape) -> int:
        return int(self.trainable)

    def build(self, shape: Shape) -> Pieces:
        return [("", helper("Scale", _HELPER)(self.factor, self.trainable))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"Scale({self.factor!r}{', trainable=True' if self.trainable else ''})")]

    def keras(self, shape: Shape) -> list[str]:
        if self.trainable:
            return [f"Scale({self.factor!r})"]
        return [f"layers.Rescaling({self.factor!r})"]

    def keras_helpers(self) -> tuple[str, ...]:
        return (_KERAS_HELPER,) if self.trainable else ()

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        own = call.name == "Scale"
        return cls(factor=call["factor" if own else "scale"], trainable=own)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Scale"])
        return (cls(factor=call["factor"], trainable=call["trainable"]),)
