"""The contract of a layer type: parameters, shape rule, cost, torch module, generated code and help texts.

A layer is an immutable value without weights. `build` makes the torch modules for a given input shape;
nothing else here needs torch, so the designer works before torch has been loaded.

What a new type has to guarantee:

- It is a frozen dataclass, so layers are hashable and compare by value, and every method that takes a `shape`
  depends on nothing but the layer and that shape. Shape inference relies on both: it caches results per
  (layer, shape) and shares them between equal layers.
- `output_shape` is the only check. It raises ShapeError for an input that the layer cannot take; the other
  methods are called only with shapes that it has accepted.
- `build` and `pytorch_code` describe the same modules, and the counts are those of torch. tests/layers
  verifies this for every type that the catalog finds.

Shapes are C × H × W for images and a number of features for flat vectors, always without the batch axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters, validate_parameters
from cnnstudio.layers.activations import backward_needs_input
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall
from cnnstudio.layers.errors import ShapeError
from cnnstudio.layers.fixes import (
    Append,
    Fix,
    InsertBefore,
    MoveAfter,
    Remove,
    Replace,
    SetParameters,
    SetParametersInside,
    Unlock,
)
from cnnstudio.layers.receptive_field import WHOLE_IMAGE, ReceptiveField
from cnnstudio.layers.shape import Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "WHOLE_IMAGE",
    "Append",
    "Family",
    "Fix",
    "Group",
    "InsertBefore",
    "Layer",
    "MoveAfter",
    "NamedModules",
    "ReceptiveField",
    "Remove",
    "Replace",
    "Role",
    "SetParameters",
    "SetParametersInside",
    "Shape",
    "ShapeError",
    "Unlock",
]

NamedModules = list[tuple[str, "nn.Module"]]
"""The modules of one layer in the order they run. Each name is a suffix to the layer's id in tensor names; ""
names the module that holds the layer's main weights."""


class Family(Enum):
    """The headings of the palette, in order."""

    CONVOLUTION = "Convolution"
    POOLING = "Pooling"
    CORE = "Core"
    ACTIVATION = "Activation and norm"
    REGULARIZATION = "Regularization"
    GROUP = "Groups"


class Role(Enum):
    """What a layer is for. Advice on a design goes by the role, never by the type."""

    LINEAR = "linear"
    """Combines all input channels by trained weights: a dense layer or a convolution."""
    NORMALIZATION = "normalization"
    ACTIVATION = "activation"
    """Applies an activation function and does nothing else."""
    POOLING = "pooling"
    """Shrinks the image with a sliding window."""
    DROPOUT = "dropout"
    """Sets random values to zero during training; its `rate` is the fraction."""
    FLATTEN = "flatten"
    OTHER = "other"


@dataclass(frozen=True)
class Layer:
    """One layer with its parameters. Subclasses are frozen dataclasses with fields from core.parameters."""

    family: ClassVar[Family]
    description: ClassVar[str]
    """One sentence: what the layer does to the image."""
    usage_hint: ClassVar[str] = ""
    """One sentence: when to use it."""
    order: ClassVar[int] = 0
    """Position within the family in the palette; ties are sorted by name."""
    role: ClassVar[Role] = Role.OTHER
    cancels_bias: ClassVar[bool] = False
    """Whether adding a constant to a whole channel of the input leaves the output unchanged."""

    pytorch_helper: ClassVar[str] = ""
    """Source of the class or function that the PyTorch code names; written once into a generated file."""
    keras_helper: ClassVar[str] = ""
    """The same for the Keras code."""

    keras_calls: ClassVar[Signatures] = {}
    """The Keras calls it is imported from. If empty: a call with the type's own name and parameters."""
    pytorch_calls: ClassVar[Signatures] = {}
    """Signatures of everything its PyTorch code calls, and of other calls it is imported from."""

    def __post_init__(self) -> None:
        validate_parameters(self)

    @classmethod
    def type_name(cls) -> str:
        """The name in files and in the palette; Keras's name if Keras has the layer."""
        return cls.__name__

    def summary(self) -> str:
        """The main parameters on one line, as in the layer list: `32 filters 3 × 3, relu`."""
        return ", ".join(parameter.text(getattr(self, parameter.name)) for parameter in parameters(self))

    def output_shape(self, shape: Shape) -> Shape:
        """The output shape for an input of `shape`. Raises ShapeError if the layer cannot take it."""
        return shape

    def parameter_count(self, shape: Shape) -> int:
        """The number of trainable weights."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-adds per image. Counted as torch counts them: convolutions and matrix products only."""
        return 0

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        """What one output value sees of this layer's input."""
        return ReceptiveField()

    def activation_count(self, shape: Shape, output: Shape) -> int:
        """Values per image kept until the backward pass: the output and anything else that it needs."""
        keeps_input = backward_needs_input(getattr(self, "activation", "linear"))
        return output.size * (2 if keeps_input else 1)

    @property
    def is_nonlinear(self) -> bool:
        """Whether it applies a nonlinear function. Two linear layers with none between them act as one."""
        return getattr(self, "activation", "linear") != "linear"

    @classmethod
    def has_trainable_parameter(cls) -> bool:
        """Whether a parameter says whether it learns. Its name is Keras's, that of the lock of any layer."""
        return any(parameter.name == "trainable" for parameter in parameters(cls))

    def without_softmax(self) -> Self:
        """The layer as the last one of a classifier: it returns logits, because the loss applies softmax."""
        if getattr(self, "activation", None) == "softmax":
            return dataclasses.replace(self, activation="linear")  # type: ignore[call-arg]  # only types with the field come here
        return self

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """The layer with these parameter values; unchanged if it lacks a parameter or a value is invalid."""
        known = {parameter.name for parameter in parameters(self)}
        if not known.issuperset(values):
            return self
        try:
            return dataclasses.replace(self, **values)
        except ParameterError:
            return self

    def as_added(self, classes: int | None) -> Self:
        """The layer as the palette adds it. `classes` is their number at the end of a network, else None."""
        return self

    def fix_output_features(self, features: int) -> SetParameters | None:
        """The fix that makes a classifier's last layer output `features` scores; None for any other layer."""
        return None

    def build(self, shape: Shape) -> NamedModules:
        """The torch modules for inputs of `shape`, freshly initialized. Imports torch."""
        raise NotImplementedError

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        """The modules of `build` as expressions on `nn`, under the same names."""
        raise NotImplementedError

    def pytorch_helpers(self) -> tuple[str, ...]:
        """The helper sources that the PyTorch code of this layer, with its values, needs."""
        return (self.pytorch_helper,) if self.pytorch_helper else ()

    def keras_code(self, shape: Shape) -> list[str]:
        """The layer as a sequence of expressions on `layers` (keras.layers)."""
        raise NotImplementedError

    def keras_helpers(self) -> tuple[str, ...]:
        """The helper sources that the Keras code of this layer, with its values, needs."""
        return (self.keras_helper,) if self.keras_helper else ()

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        """The layer for one of `keras_calls`. Raises UnsupportedCall or ParameterError."""
        known = [parameter for parameter in parameters(cls) if parameter.name in call]
        return cls(**{parameter.name: call.parameter(parameter) for parameter in known})

    @classmethod
    def from_keras_sequence(cls, calls: Sequence[Call]) -> Iterable[Self]:
        """Candidates whose Keras code might be exactly these calls; the reader compares and picks one."""
        return ()

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        """Candidates whose PyTorch code might be the start of these calls; the reader picks the longest.

        `shape` is the input shape at the first call.
        """
        return (cls(),)

    @classmethod
    def substitute_for_pytorch(
        cls, call: Call, shape: Shape
    ) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """A replacement for a call that no layer writes: layers as (type, values), and a note for the user.

        Empty if there is no replacement. Raises UnsupportedCall or ParameterError.
        """
        return (), ""


@dataclass(frozen=True)
class Group(Layer):
    """A layer that contains layers. The list of them belongs to the design, not to this value.

    In most groups they form a sequence, the body. In a group with branches each of them gets the group's
    input. `body_outputs`, in the methods below, are the shapes that reach the group's end: the output of the
    last copy of the body, or the output of each branch.
    """

    family: ClassVar[Family] = Family.GROUP
    has_branches: ClassVar[bool] = False
    """Whether the layers inside run in parallel instead of in sequence."""
    has_shortcut: ClassVar[bool] = False
    """Whether the group's input also bypasses its layers, as shown in diagrams."""
    repeats_body: ClassVar[bool] = False
    """Whether the body is repeated, even if only once."""
    is_transparent: ClassVar[bool] = False
    """Whether it does nothing itself: its output is that of its last layer, or its input if it is empty."""

    def copies(self) -> int:
        """How many copies of the body run in sequence, each with its own weights."""
        return 1

    def group_output_shape(self, shape: Shape, body_outputs: Sequence[Shape]) -> Shape:
        """The group's output shape for an input of `shape`. Raises ShapeError."""
        return body_outputs[-1]

    def group_parameter_count(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        """The number of trainable weights, not counting the layers inside."""
        return 0

    def group_macs(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        """Multiply-adds per image, not counting the layers inside."""
        return 0

    def group_activation_count(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        """Values per image kept until the backward pass, not counting those of the layers inside."""
        return 0

    def build_group(
        self, shape: Shape, body_outputs: Sequence[Shape], bodies: Sequence[nn.Module]
    ) -> nn.Module:
        """The module of the group around its body, which already contains all copies, or its branches."""
        return bodies[0]

    def pytorch_group_code(self, shape: Shape, body_outputs: Sequence[Shape], body: str) -> str:
        """The same as an expression. `body` stands for the body, or for the branches separated by commas."""
        return body

    def keras_group_code(
        self,
        shape: Shape,
        body_outputs: Sequence[Shape],
        bodies: Sequence[list[str]],
        unique_name: Callable[[str], str],
    ) -> list[str]:
        """Functional Keras code: lines that read and write `x`, like the lines of each body.

        `unique_name` makes a variable name that is not used elsewhere: for "shortcut" perhaps `shortcut_2`.
        """
        return bodies[0]

    @classmethod
    def from_copies(cls, times: int) -> Self | None:
        """The group that repeats a sequence `times` times. Raises ParameterError if that is too often."""
        return None

    @classmethod
    def from_branches(cls, mode: str, branches: Sequence[Sequence[Layer]]) -> tuple[Self, list[int]] | None:
        """The group that joins branches by `mode`, "add" or "concat"; None if this type does not.

        `branches` are the layers of each. Also returns the indices of the branches that go into the group.
        """
        return None

    @classmethod
    def from_pytorch_group(cls, call: Arguments) -> tuple[Self, list[Any]]:
        """The group for a call of its `pytorch_helper`, and the arguments that are bodies.

        Raises UnsupportedCall or ParameterError.
        """
        raise UnsupportedCall("is not a group")
