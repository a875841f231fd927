"""What every layer type says of itself: parameters, shape rule, cost, module, code, help.

A layer is an immutable value without weights. `build` makes the torch module for a given input shape; nothing
else here needs torch, so the designer works before torch is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import check_all, parameters
from cnnstudio.layers.activations import needs_input
from cnnstudio.layers.code import Arguments, Call, NotDrawable, Signatures
from cnnstudio.layers.errors import ShapeError
from cnnstudio.layers.fixes import (
    Append,
    Exchange,
    Fix,
    InsertBefore,
    MoveBehind,
    Remove,
    SetInside,
    SetParameters,
)
from cnnstudio.layers.receptive_field import WHOLE, Window
from cnnstudio.layers.shape import Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "WHOLE",
    "Append",
    "Exchange",
    "Family",
    "Fix",
    "Group",
    "InsertBefore",
    "Layer",
    "MoveBehind",
    "Pieces",
    "Remove",
    "Role",
    "SetInside",
    "SetParameters",
    "Shape",
    "ShapeError",
    "Window",
]

Pieces = list[tuple[str, "nn.Module"]]
"""The modules of one layer in order. Names are suffixes to the layer's id; "" holds the weights."""


class Family(Enum):
    """The palette's headings, in its order."""

    CONVOLUTION = "Convolution"
    POOLING = "Pooling"
    CORE = "Core"
    ACTIVATION = "Activation and norm"
    REGULARIZATION = "Regularization"
    GROUP = "Groups"


class Role(Enum):
    """What a layer is there for, where advice on a design has to know it."""

    MIXES = "mixes"
    """Makes each output of all channels that it sees, by trained weights."""
    NORMALIZES = "normalizes"
    BENDS = "bends"
    """Applies an activation and nothing else."""
    POOLS = "pools"
    """Makes the image smaller by windows that slide over it."""
    DROPS = "drops"
    """Sets random values to zero while training; its `rate` says how many."""
    FLATTENS = "flattens"
    OTHER = "other"


@dataclass(frozen=True)
class Layer:
    """One layer with its parameters. Subclasses are frozen dataclasses whose fields come from `params`."""

    family: ClassVar[Family]
    description: ClassVar[str]
    """One sentence: what the layer does to the image."""
    advice: ClassVar[str] = ""
    """One sentence: when to use it."""
    order: ClassVar[int] = 0
    """Place within the family in the palette; equal places go by name."""
    role: ClassVar[Role] = Role.OTHER
    cancels_bias: ClassVar[bool] = False
    """Whether a number that is added to a whole channel before it makes no difference behind it."""

    pytorch_helper: ClassVar[str] = ""
    """Source of the class or function that its PyTorch code names, written once into a stand-alone file."""
    keras_helper: ClassVar[str] = ""
    """The same for its Keras code."""

    keras_calls: ClassVar[Signatures] = {}
    """What of Keras it is read from. Without any: a call of its own name, with its own parameters."""
    pytorch_calls: ClassVar[Signatures] = {}
    """The signatures of what its PyTorch code names, and of what else it is read from."""

    def __post_init__(self) -> None:
        check_all(self)

    @classmethod
    def type_name(cls) -> str:
        """The name in files and in the palette; Keras's, where Keras has the layer."""
        return cls.__name__

    def summary(self) -> str:
        """The telling parameters, as the list's row shows them: `32 filters 3 × 3, relu`."""
        return ", ".join(parameter.text(getattr(self, parameter.name)) for parameter in parameters(self))

    def output_shape(self, shape: Shape) -> Shape:
        """What comes out where `shape` goes in. Raises ShapeError."""
        return shape

    def parameter_count(self, shape: Shape) -> int:
        """Trained numbers."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-adds for one image, as torch counts them: 0 for all but convolutions and products."""
        return 0

    def window(self, shape: Shape) -> Window:
        """What one output value sees of the input."""
        return Window()

    def own_activations(self, shape: Shape, output: Shape) -> int:
        """Numbers that it keeps for one image until the way back: its output, and what else it needs."""
        twice = needs_input(getattr(self, "activation", "linear"))
        return output.size * (2 if twice else 1)

    @property
    def bends(self) -> bool:
        """Whether it is a nonlinearity: without one between them, two layers that mix are worth only one."""
        return getattr(self, "activation", "linear") != "linear"

    def without_softmax(self) -> Self:
        """The layer as a classifier's last one: it gives logits, and the loss takes the softmax."""
        if getattr(self, "activation", None) == "softmax":
            return dataclasses.replace(self, activation="linear")  # type: ignore[call-arg]  # only types with the field come here
        return self

    def taking(self, values: Mapping[str, Any]) -> Self:
        """The layer with these values; itself where it does not have all of these parameters or values."""
        known = {parameter.name for parameter in parameters(self)}
        if not known.issuperset(values):
            return self
        try:
            return dataclasses.replace(self, **values)
        except ParameterError:
            return self

    def giving(self, features: int) -> SetParameters | None:
        """What would make a classifier's last layer give `features` scores; None for any other layer."""
        return None

    def build(self, shape: Shape) -> Pieces:
        """The torch modules for inputs of `shape`, freshly initialized. Imports torch."""
        raise NotImplementedError

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        """The same pieces as `build` gives, as expressions on `nn`."""
        raise NotImplementedError

    def pytorch_helpers(self) -> tuple[str, ...]:
        """The sources that the code of this very layer needs: `pytorch_helper`, where there is one."""
        return (self.pytorch_helper,) if self.pytorch_helper else ()

    def keras(self, shape: Shape) -> list[str]:
        """The layer as expressions on `layers` (keras.layers), one after the other."""
        raise NotImplementedError

    def keras_helpers(self) -> tuple[str, ...]:
        """The sources that they need."""
        return (self.keras_helper,) if self.keras_helper else ()

    @classmethod
    def from_keras(cls, call: Arguments) -> Self:
        """The layer of one of `keras_calls`. Raises NotDrawable or ParameterError."""
        known = [parameter for parameter in parameters(cls) if parameter.name in call]
        return cls(**{parameter.name: call.parameter(parameter) for parameter in known})

    @classmethod
    def from_keras_row(cls, calls: Sequence[Call]) -> Iterable[Self]:
        """Layers that may write just these calls as their Keras code; the reader finds out which one does."""
        return ()

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        """Layers whose PyTorch code this row of calls may begin with; the longest that does is kept."""
        return (cls(),)

    @classmethod
    def instead_of_pytorch(cls, call: Call, shape: Shape) -> tuple[Sequence[tuple[str, dict[str, Any]]], str]:
        """What does the same as a call that no layer writes, as (type, values), and what to say of it.

        Nothing, where there is nothing. Raises NotDrawable or ParameterError.
        """
        return (), ""


@dataclass(frozen=True)
class Group(Layer):
    """A layer that holds a list of layers, which belongs to the design, not to this value.

    In most groups they stand in a row, the body. In a group with `branches` each of them gets the group's
    input. `inside` is always what comes to the group's end: what the last body gives, as one shape, or what
    each branch gives.
    """

    family: ClassVar[Family] = Family.GROUP
    branches: ClassVar[bool] = False
    """Whether the layers stand side by side."""
    skips: ClassVar[bool] = False
    """Whether its input also goes around what is in it, as drawings of networks show it."""
    repeats: ClassVar[bool] = False
    """Whether its body stands several times in a row, be it only once."""
    transparent: ClassVar[bool] = False
    """Whether it does nothing itself: it gives what its last layer gives, and without layers its input."""

    def copies(self) -> int:
        """How many times the body stands in a row, each with weights of its own."""
        return 1

    def join(self, shape: Shape, inside: Sequence[Shape]) -> Shape:
        """The group's output, where `shape` went in. Raises ShapeError."""
        return inside[-1]

    def own_parameter_count(self, shape: Shape, inside: Sequence[Shape]) -> int:
        """Trained numbers besides those of the layers inside."""
        return 0

    def own_macs(self, shape: Shape, inside: Sequence[Shape]) -> int:
        """Multiply-adds besides those of the layers inside."""
        return 0

    def joined_activations(self, shape: Shape, inside: Sequence[Shape]) -> int:
        """Numbers that it keeps for one image besides those of the layers inside."""
        return 0

    def build_group(self, shape: Shape, inside: Sequence[Shape], bodies: Sequence[nn.Module]) -> nn.Module:
        """The group around its body, which already holds all copies, or around its branches."""
        return bodies[0]

    def pytorch_group(self, shape: Shape, inside: Sequence[Shape], body: str) -> str:
        """The same as an expression. `body` is that for the body, or those for the branches, by commas."""
        return body

    def keras_group(
        self, shape: Shape, inside: Sequence[Shape], bodies: Sequence[list[str]], free: Callable[[str], str]
    ) -> list[str]:
        """Functional Keras: lines that, like those of each body, read and write `x`.

        `free` makes a name that only this group has in this place: `free("shortcut")` may be `shortcut_2`.
        """
        return bodies[0]

    @classmethod
    def of_copies(cls, times: int) -> Self | None:
        """The group that stands for so many copies of a row. Raises ParameterError for too many."""
        return None

    @classmethod
    def from_branches(cls, mode: str, rows: Sequence[Sequence[Layer]]) -> tuple[Self, list[int]] | None:
        """The group that puts branches together again by `mode`, "add" or "concat", if this type does that.

        `rows` are the layers of each branch; with the group come the indices of those that stand inside it.
        """
        return None

    @classmethod
    def from_pytorch_group(cls, call: Arguments) -> tuple[Self, list[Any]]:
        """The group of a call of its own `pytorch_helper`, and which of its arguments are bodies."""
        raise NotDrawable("is no group")
