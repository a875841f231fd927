"""Multiplication by one factor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, number
from cnnstudio.layers.base import Family, Layer, NamedModules, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import load_helper

_HELPER = '''
class Scale(nn.Module):
    """Multiplies every value by one factor, optionally trainable."""

    def __init__(self, factor, trainable=False):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor)) if trainable else factor

    def forward(self, x):
        return x * self.factor
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class Scale(layers.Layer):
    """Multiplies every value by one trainable factor."""

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
    """value * factor; the factor is fixed, or a single trainable weight initialized to it."""

    family: ClassVar[Family] = Family.ACTIVATION
    description: ClassVar[str] = "Multiplies every value by the same factor."
    usage_hint: ClassVar[str] = "Use it after the last Dense to keep scores small at a high learning rate."
    order: ClassVar[int] = 5

    factor: float = number(1.0, minimum=-1000.0, maximum=1000.0, help="multiplier for every value")
    trainable: bool = flag(False, help="whether training adjusts the factor")

    pytorch_helper: ClassVar[str] = _HELPER

    keras_calls: ClassVar[Signatures] = {
        "Scale": "factor=1.0",
        "Rescaling": "scale, offset=0.0",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Scale": "factor, trainable=False",
    }

    def summary(self) -> str:
        return f"× {self.factor:.4g}" + (", trainable" if self.trainable else "")

    def parameter_count(self, shape: Shape) -> int:
        return int(self.trainable)

    def build(self, shape: Shape) -> NamedModules:
        return [("", load_helper("Scale", _HELPER)(self.factor, self.trainable))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        return [("", f"Scale({self.factor!r}{', trainable=True' if self.trainable else ''})")]

    def keras_code(self, shape: Shape) -> list[str]:
        if self.trainable:
            return [f"Scale({self.factor!r})"]
        return [f"layers.Rescaling({self.factor!r})"]

    def keras_helpers(self) -> tuple[str, ...]:
        return (_KERAS_HELPER,) if self.trainable else ()

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        is_scale = call.name == "Scale"
        return cls(factor=call["factor" if is_scale else "scale"], trainable=is_scale)

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Scale"])
        return (cls(factor=call["factor"], trainable=call["trainable"]),)
