"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, integer
from cnnstudio.layers.activations import (
    activation_choice,
    build_activation,
    keras_activation_argument,
    possible_activations,
    pytorch_activation_code,
)
from cnnstudio.layers.base import (
    WHOLE_IMAGE,
    Family,
    InsertBefore,
    Layer,
    NamedModules,
    ReceptiveField,
    Role,
    SetParameters,
    Shape,
    ShapeError,
)
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.initializers import (
    initializer_choice,
    keras_kernel_arguments,
    kernel_options_code,
    kernel_options_from_keras,
    kernel_options_helpers,
    l2_number,
    unwrap_kernel_options,
    with_kernel_options,
)


@dataclass(frozen=True)
class Dense(Layer):
    """output = activation(weights · input + bias), with `units` outputs."""

    family: ClassVar[Family] = Family.CORE
    role: ClassVar[Role] = Role.LINEAR
    description: ClassVar[str] = "Connects every input to every output with a weight."
    usage_hint: ClassVar[str] = (
        "Use it at the end to turn features into class scores; the last one has one unit per class."
    )
    order: ClassVar[int] = 1

    units: int = integer(128, maximum=1_048_576, help="number of outputs", one_value_per="each image")
    activation: str = activation_choice("linear")
    use_bias: bool = flag(True, label="Bias", help="a trainable offset for each output")
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

    def as_added(self, classes: int | None) -> Self:
        if classes is None:
            return self.with_values({"activation": "relu"})
        return self.with_values({"units": classes, "activation": "softmax"})

    def output_shape(self, shape: Shape) -> Shape:
        output = Shape.of(self.units)
        if not shape.is_flat:
            raise ShapeError(
                f"takes a flat vector, but gets {shape}{{source}}",
                (InsertBefore("Flatten"), InsertBefore("GlobalAveragePooling2D")),
                assumed=output,
                why="Each unit has one weight per input value, so the input must be a flat vector.",
            )
        return output

    def parameter_count(self, shape: Shape) -> int:
        return self.macs(shape) + (self.units if self.use_bias else 0)

    def macs(self, shape: Shape) -> int:
        return shape.features * self.units

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        return WHOLE_IMAGE

    def fix_output_features(self, features: int) -> SetParameters | None:
        # With any other activation this is a hidden layer, whose size is unrelated to the number of classes.
        if self.activation not in ("linear", "softmax", "sigmoid"):
            return None
        return SetParameters({"units": features}, f"set units to {features}")

    def build(self, shape: Shape) -> NamedModules:
        from torch import nn

        linear = nn.Linear(shape.features, self.units, bias=self.use_bias)
        return [
            ("", with_kernel_options(linear, self.kernel_initializer, self.kernel_l2)),
            *build_activation(self.activation),
        ]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        bias = "" if self.use_bias else ", bias=False"
        code = f"nn.Linear({shape.features}, {self.units}{bias})"
        return [
            ("", kernel_options_code(code, self.kernel_initializer, self.kernel_l2)),
            *pytorch_activation_code(self.activation),
        ]

    def pytorch_helpers(self) -> tuple[str, ...]:
        return kernel_options_helpers(self.kernel_initializer, self.kernel_l2)

    def keras_code(self, shape: Shape) -> list[str]:
        activation = keras_activation_argument(self.activation)
        bias = "" if self.use_bias else ", use_bias=False"
        kernel = keras_kernel_arguments(self.kernel_initializer, self.kernel_l2)
        return [f"layers.Dense({self.units}{activation}{bias}{kernel})"]

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        options = kernel_options_from_keras(call, ("kernel",))
        return super().from_keras(call).with_values({"kernel_l2": options["kernel_l2"]})

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        inner, kernel_options = unwrap_kernel_options(calls[0])
        call = Arguments(inner, cls.pytorch_calls[inner.name])
        for activation in possible_activations(calls[1:2]):
            yield cls(
                units=call["out_features"], use_bias=call["bias"], activation=activation, **kernel_options
            )
