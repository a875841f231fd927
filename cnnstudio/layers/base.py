"""What every layer type says of itself: parameters, shape rule, cost, module, code, help.

A layer is an immutable value without weights. `build` makes the torch module for a given input shape; nothing
else here needs torch, so the designer works before torch is loaded.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
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
_NEAR = Fraction(1, _FAR)


Pixels = int | Fraction


@dataclass(frozen=True, slots=True)
class Window:
    """How much of its input one output value sees, and how far neighbours stand apart, in input pixels.

    `kernel` None means all of it. Behind a layer that enlarges the picture both may be fractions of a pixel.
    Windows compose along a chain of layers (Araujo, Norris and Sim, Computing Receptive Fields of
    Convolutional Neural Networks, Distill 2019, equations 1 and 2).
    """

    kernel: tuple[Pixels, Pixels] | None = (1, 1)
    stride: tuple[Pixels, Pixels] = (1, 1)

    @property
    def field(self) -> tuple[int, int] | None:
        """The kernel in whole pixels, all of which are seen at least in part."""
        return self.kernel and (math.ceil(self.kernel[0]), math.ceil(self.kernel[1]))

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
            (_step(down * following.stride[0], limit[0]), _step(right * following.stride[1], limit[1])),
        )

    def beside(self, other: Window) -> Window:
        """What a value sees that is made of one value of each, at the same place."""
        if self.kernel is None or other.kernel is None:
            return WHOLE
        return Window(_larger(self.kernel, other.kernel), _larger(self.stride, other.stride))


def _step(stride: Pixels, limit: int) -> Pixels:
    return min(stride, limit) if stride >= 1 else max(stride, _NEAR)


def _larger(one: tuple[Pixels, Pixels], other: tuple[Pixels, Pixels]) -> tuple[Pixels, Pixels]:
    return max(one[0], other[0]), max(one[1], other[1])


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

    pytorch_helper: ClassVar[str] = ""
    """Source of the class or function that its PyTorch code names, written once into a stand-alone file."""
    keras_helper: ClassVar[str] = ""
    """The same for its Keras code."""

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
        """The torch modules for inputs of `shape`, freshly initialised. Imports torch."""
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
