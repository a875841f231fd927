"""Squeeze and excitation: feature maps reweighted by a summary of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import choice, integer
from cnnstudio.layers.activations import (
    activation_choice,
    activation_from_pytorch,
    build_activation,
    keras_activation_argument,
    pytorch_activation_code,
)
from cnnstudio.layers.base import Family, Layer, NamedModules, Shape
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.sliding_window import require_image

_HELPER = '''
class SqueezeExcite(nn.Module):
    """Scales each feature map by a factor from 0 to 1 that two small layers compute from the means of all."""

    def __init__(self, channels, ratio, activation=None, gate=None):
        super().__init__()
        squeezed = max(channels // ratio, 1)
        self.squeeze = nn.Linear(channels, squeezed)
        self.activation = activation or nn.Identity()
        self.excite = nn.Linear(squeezed, channels)
        self.gate = gate or nn.Sigmoid()

    def forward(self, x):
        means = x.mean((2, 3))
        weights = self.gate(self.excite(self.activation(self.squeeze(means))))
        return x * weights[:, :, None, None]
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class SqueezeExcite(layers.Layer):
    """Scales each feature map by a factor from 0 to 1 that two small layers compute from the means of all."""

    def __init__(self, ratio=16, activation=None, gate="sigmoid", **options):
        super().__init__(**options)
        self.ratio = ratio
        self.gate = gate
        self.activation = keras.activations.get(activation)

    def build(self, shape):
        channels = shape[-1]
        squeezed = max(channels // self.ratio, 1)
        self.squeeze = layers.Dense(squeezed, activation=self.activation)
        self.excite = layers.Dense(channels, activation=self.gate)
        self.squeeze.build((None, 1, 1, channels))
        self.excite.build((None, 1, 1, squeezed))

    def call(self, x):
        means = keras.ops.mean(x, axis=(1, 2), keepdims=True)
        return x * self.excite(self.squeeze(means))

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        own = {"ratio": self.ratio, "activation": activation, "gate": self.gate}
        return {**super().get_config(), **own}
'''


@dataclass(frozen=True)
class SqueezeExcite(Layer):
    """x * gate(excite(activation(squeeze(mean of each feature map)))).

    From Hu, Shen and Sun 2018, Squeeze-and-Excitation Networks; with a hard sigmoid as its gate, that of
    Howard et al. 2019, Searching for MobileNetV3. The receptive field ignores the means, which
    depend on the whole image.
    """

    family: ClassVar[Family] = Family.ACTIVATION
    description: ClassVar[str] = (
        "Strengthens or weakens each feature map depending on the means of all of them."
    )
    usage_hint: ClassVar[str] = "Use it after convolutions for a little more accuracy at almost no cost."
    order: ClassVar[int] = 4

    ratio: int = integer(16, maximum=65_536, help="feature maps per hidden unit")
    activation: str = activation_choice("relu", help="function applied to the hidden units")
    gate: str = choice(
        "sigmoid",
        ("sigmoid", "hard_sigmoid"),
        help="function that gives the factors, from 0 to 1",
        rare=True,
        recent=True,
    )

    pytorch_helper: ClassVar[str] = _HELPER
    keras_helper: ClassVar[str] = _KERAS_HELPER

    keras_calls: ClassVar[Signatures] = {
        "SqueezeExcite": "ratio=16, activation=None, gate='sigmoid'",
    }
    pytorch_calls: ClassVar[Signatures] = {
        "SqueezeExcite": "channels, ratio, activation=None, gate=None",
    }

    def summary(self) -> str:
        unusual = [self.activation] * (self.activation != "relu") + [self.gate] * (self.gate != "sigmoid")
        return ", ".join((f"ratio {self.ratio}", *unusual))

    def without_softmax(self) -> Self:
        # Its activation is between its two layers, not at its output.
        return self

    def _squeezed(self, shape: Shape) -> int:
        return max(shape.channels // self.ratio, 1)

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        return shape

    def parameter_count(self, shape: Shape) -> int:
        return self.macs(shape) + self._squeezed(shape) + shape.channels

    def macs(self, shape: Shape) -> int:
        return 2 * shape.channels * self._squeezed(shape)

    def build(self, shape: Shape) -> NamedModules:
        activation = build_activation(self.activation)
        ((_, gate),) = build_activation(self.gate)
        kind = load_helper("SqueezeExcite", _HELPER)
        return [("", kind(shape.channels, self.ratio, activation[0][1] if activation else None, gate))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        activation = "".join(f", activation={code}" for _, code in pytorch_activation_code(self.activation))
        gates = pytorch_activation_code(self.gate) if self.gate != "sigmoid" else []
        gate = "".join(f", gate={code}" for _, code in gates)
        return [("", f"SqueezeExcite({shape.channels}, ratio={self.ratio}{activation}{gate})")]

    def keras_code(self, shape: Shape) -> list[str]:
        gate = "" if self.gate == "sigmoid" else f', gate="{self.gate}"'
        return [f"SqueezeExcite(ratio={self.ratio}{keras_activation_argument(self.activation)}{gate})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["SqueezeExcite"])
        inside, gate = (
            activation_from_pytorch(call[name]) if isinstance(call[name], Call) else None
            for name in ("activation", "gate")
        )
        yield cls(ratio=call["ratio"], activation=inside or "linear", gate=gate or "sigmoid")
