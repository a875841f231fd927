"""What every layer type says of itself: parameters, shape rule, cost, module, code, help.

A layer is an immutable value without weights. `build` makes the torch module for a given input shape; nothing
else here needs torch, so the designer works before torch is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cnnstudio.layers.errors import ParameterError, ShapeError, UserError
from cnnstudio.layers.mends import Append, InsertBefore, Mend, SetInside, SetParameters
from cnnstudio.layers.params import check_all, parameters
from cnnstudio.layers.shape import Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "WHOLE",
    "Append",
    "Family",
    "Group",
    "InsertBefore",
    "Layer",
    "Mend",
    "ParameterError",
    "Pieces",
    "SetInside",
    "SetParameters",
    "Shape",
    "ShapeError",
    "UserError",
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
    REGULARISATION = "Regularisation"
    GROUP = "Groups"


# No picture is that large. Without an end, strides in nested Repeats would be numbers of a million digits.
_FAR = 2**31


@dataclass(frozen=True, slots=True)
class Window:
    """How much of its input one output value sees, and how far neighbours stand apart, in input pixels.

    `kernel` None means all of it. Windows compose along a chain of layers (Araujo, Norris and Sim, Computing
    Receptive Fields of Convolutional Neural Networks, Distill 2019, equations 1 and 2).
    """

    kernel: tuple[int, int] | None = (1, 1)
    stride: tuple[int, int] = (1, 1)

    def then(self, following: Window, limit: tuple[int, int] = (_FAR, _FAR)) -> Window:
        """This window with `following` applied to its output.

        Where `limit` is the size of the picture, a kernel that would be larger counts as just that large.
        """
        if self.kernel is None or following.kernel is None:
            return WHOLE
        (height, width), (down, right) = self.kernel, self.stride
        return Window(
            (
                min(height + (following.kernel[0] - 1) * down, limit[0]),
                min(width + (following.kernel[1] - 1) * right, limit[1]),
            ),
            (min(down * following.stride[0], limit[0]), min(right * following.stride[1], limit[1])),
        )


WHOLE = Window(None)
"""The window of a value that sees all of the input."""


@dataclass(frozen=True)
class Layer:
    """One layer with its parameters. Subclasses are frozen dataclasses whose fields come from `params`."""

    family: ClassVar[Family]
    description: ClassVar[str]
    """One sentence: what the layer does to the picture."""
    advice: ClassVar[str] = ""
    """One sentence: when to use it."""
    order: ClassVar[int] = 0
    """Place within the family in the palette; equal places go by name."""

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
        """Multiply-adds for one picture, as torch counts them: 0 for all but convolutions and products."""
        return 0

    def window(self, shape: Shape) -> Window:
        """What one output value sees of the input."""
        return Window()

    def without_softmax(self) -> Self:
        """The layer as a classifier's last one: it gives logits, and the loss takes the softmax."""
        if getattr(self, "activation", None) == "softmax":
            return dataclasses.replace(self, activation="linear")  # type: ignore[call-arg]  # only types with the field come here
        return self

    def taking(self, values: Mapping[str, Any]) -> Self:
        """The layer with these values; itself where it does not have all of these parameters."""
        known = {parameter.name for parameter in parameters(self)}
        return dataclasses.replace(self, **values) if known.issuperset(values) else self

    def giving(self, features: int) -> SetParameters | None:
        """What would make a classifier's last layer give `features` scores; None for any other layer."""
        return None

    def build(self, shape: Shape) -> Pieces:
        """The torch modules for inputs of `shape`, freshly initialised. Imports torch."""
        raise NotImplementedError

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        """The same pieces as `build` gives, as expressions on `nn`."""
        raise NotImplementedError

    def keras(self, shape: Shape) -> list[str]:
        """The layer as expressions on `layers` (keras.layers), one after the other."""
        raise NotImplementedError


@dataclass(frozen=True)
class Group(Layer):
    """A layer that holds a list of layers, its body. The body belongs to the design, not to this value."""

    family: ClassVar[Family] = Family.GROUP

    def copies(self) -> int:
        """How many times the body stands in a row, each with weights of its own."""
        return 1

    def join(self, shape: Shape, body: Shape) -> Shape:
        """The group's output: `shape` went in and the (last) body gave `body`. Raises ShapeError."""
        return body

    def own_parameter_count(self, shape: Shape, body: Shape) -> int:
        """Trained numbers besides those of the body."""
        return 0

    def own_macs(self, shape: Shape, body: Shape) -> int:
        """Multiply-adds besides those of the body."""
        return 0

    def build_group(self, shape: Shape, body_shape: Shape, body: nn.Module) -> nn.Module:
        """The group around `body`, which already holds all copies."""
        return body

    def pytorch_group(self, shape: Shape, body_shape: Shape, body: str) -> str:
        """The same as an expression, where `body` is the expression for the body."""
        return body

    pytorch_helper: ClassVar[str] = ""
    """Source of the class that `pytorch_group` names, written once into a stand-alone file."""

    def keras_group(self, shape: Shape, body_shape: Shape, body: list[str], shortcut: str) -> list[str]:
        """Functional Keras: lines that, like `body`, read and write `x`. `shortcut` is a free name."""
        return body
