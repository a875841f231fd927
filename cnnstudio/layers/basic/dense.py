"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, integer
from cnnstudio.layers.activations import (
    activation_choice,
    build_activation,
    keras_activation,
    pytorch_activation,
    pytorch_activations,
)
from cnnstudio.layers.base import (
    WHOLE,
    Family,
    InsertBefore,
    Layer,
    Pieces,
    Role,
    SetParameters,
    Shape,
    ShapeError,
    Window,
)
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.initializers import (
    initializer_choice,
    keras_kernel,
    kernel_from_keras,
    l2_number,
    prepared,
    prepared_code,
    prepared_helpers,
    unprepared,
)


@dataclass(frozen=True)
class Dense(Layer):
    """Each of `units` outputs weighs every input."""

    family: ClassVar[Family] = Family.CORE
    role: ClassVar[Role] = Role.MIXES
    description: ClassVar[str] = "Connects every input with every output by a weight."
    advice: ClassVar[str] = (
        "Use it at the end, to turn features into classes; the last one has one unit a class."
    )
    order: ClassVar[int] = 1

    units: int = integer(128, maximum=1_048_576, help="numbers that come out", one_for="each image")
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trained number added to each output")
    kernel_initializer: str = initializer_choice(dirac=False)
    kernel_l2: float = l2_number()

    keras_calls: ClassVar[Signatures] = {
        "Dense": (
            "units, activation=None, use_bias=True, kernel_initializer='auto', bias_initializer='zeros', "
            "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
            "kernel_constraint=None, bias_constraint=None"
        ),
    }
    pytorch_calls: ClassVar[Signatures] = {
        "Linear": "in_features, out_features, bias=True",
    }

    def summary(self) -> str:
        text = f"{self.units} units" if self.units > 1 else "1 unit"
        return text if self.activation == "linear" else f"{text}, {self.activation}"

    def output_shape(self, shape: Shape) -> Shape:
        output = Shape.of(self.units)
        if not shape.is_flat:
            raise ShapeError(
                f"takes a flat vector, but gets {shape}{{source}}",
                (InsertBefore("Flatten"), InsertBefore("GlobalAveragePooling2D")),
                assumed=output,
                why="Each unit has a weight for each number that comes in, so these have to stand in a row.",
            )
        return output

    def parameter_count(self, shape: Shape) -> int:
        return self.macs(shape) + (self.units if self.use_bias else 0)

    def macs(self, shape: Shape) -> int:
        return shape.features * self.units

    def window(self, shape: Shape) -> Window:
        return WHOLE

    def giving(self, features: int) -> SetParameters | None:
        # Any other activation says that this is a hidden layer, whose size is not that of the classes.
        if self.activation not in ("linear", "softmax", "sigmoid"):
            return None
        return SetParameters({"units": features}, f"set units to {features}")

    def build(self, shape: Shape) -> Pieces:
        from torch import nn

        linear = nn.Linear(shape.features, self.units, bias=self.use_bias)
        return [
            ("", prepared(linear, self.kernel_initializer, self.kernel_l2)),
            *build_activation(self.activation),
        ]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        bias = "" if self.use_bias else ", bias=False"
        code = f"nn.Linear({shape.features}, {self.units}{bias})"
        return [
            ("", prepared_code(code, self.kernel_initializer, self.kernel_l2)),
            *pytorch_activation(self.activation),
        ]

    def pytorch_helpers(self) -> tuple[str, ...]:
        return prepared_helpers(self.kernel_initializer, self.kernel_l2)

    def keras(self, shape: Shape) -> list[str]:
        activation = keras_activation(self.activation)
        bias = "" if self.use_bias else ", use_bias=False"
        kernel = keras_kernel(self.kernel_initializer, self.kernel_l2)
        return [f"layers.Dense({self.units}{activation}{bias}{kernel})"]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        return super().from_keras(call).taking(kernel_from_keras(call, ("kernel",)))

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        inner, prepared_values = unprepared(calls[0])
        call = Arguments(inner, cls.pytorch_calls[inner.name])
        for activation in pytorch_activations(calls[1:2]):
            yield cls(
                units=call["out_features"], use_bias=call["bias"], activation=activation, **prepared_values
            )
