"""The base of the normalization layers: a trainable scale and offset per channel, each of which is optional.

torch's layers have both or neither. If only one is wanted, the other is frozen at its initial value, 1 or 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cnnstudio.core.parameters import flag, number
from cnnstudio.layers.base import Family, Layer, Role, Shape
from cnnstudio.layers.code import Arguments, Call
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.initializers import FROZEN_HELPER

if TYPE_CHECKING:
    from torch import nn


def epsilon_number() -> Any:
    """A dataclass field for Keras's `epsilon`, torch's `eps`."""
    help_text = "added to the variance to avoid division by zero"
    return number(0.001, minimum=1e-12, maximum=1.0, rare=True, help=help_text)


def center_flag() -> Any:
    """A dataclass field for Keras's `center`."""
    return flag(True, label="Offset", help="a trainable offset for each feature map")


def scale_flag() -> Any:
    """A dataclass field for Keras's `scale`."""
    return flag(True, label="Scale", help="a trainable factor for each feature map")


class Normalization(Layer):
    """The base class. It has no fields, so that each type can declare them in Keras's order."""

    family: ClassVar[Family] = Family.ACTIVATION
    role: ClassVar[Role] = Role.NORMALIZATION

    epsilon: float
    center: bool
    scale: bool

    @property
    def is_affine(self) -> bool:
        """Whether torch's layer has weights; it has both or neither."""
        return self.center or self.scale

    @property
    def _frozen_parameter(self) -> str:
        """The weight of torch's layer that is frozen; empty if there is none."""
        return "" if self.center == self.scale else "weight" if self.center else "bias"

    def affine_summary(self) -> str:
        """The end of the summary: which of scale and offset is off; empty if neither is."""
        return ("" if self.scale else ", no scale") + ("" if self.center else ", no offset")

    def parameter_count(self, shape: Shape) -> int:
        return (self.center + self.scale) * shape.channels

    def freeze(self, module: nn.Module) -> nn.Module:
        """The torch layer with the unwanted one of its two weights frozen."""
        return (
            load_helper("frozen", FROZEN_HELPER)(module, self._frozen_parameter)
            if self._frozen_parameter
            else module
        )

    def frozen_code(self, code: str) -> str:
        """The same for an expression."""
        return f'frozen({code}, "{self._frozen_parameter}")' if self._frozen_parameter else code

    def pytorch_helpers(self) -> tuple[str, ...]:
        return (
            (*super().pytorch_helpers(), FROZEN_HELPER)
            if self._frozen_parameter
            else super().pytorch_helpers()
        )

    def keras_affine_arguments(self) -> str:
        """The arguments of a Keras layer that turn scale or offset off: `, scale=False`."""
        return ("" if self.center else ", center=False") + ("" if self.scale else ", scale=False")

    @classmethod
    def unwrap_frozen(cls, call: Call, affine: str = "affine") -> tuple[Arguments, dict[str, bool]]:
        """The inverse of `frozen_code`: the torch layer's arguments, and the values of `center` and `scale`.

        `affine` is the argument of the torch layer that says whether it has weights at all.
        """
        frozen: list[Any] = []
        if call.name == "frozen" and call.positional and isinstance(call.positional[0], Call):
            call, *frozen = call.positional
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        has = {name: arguments[affine] and name not in frozen for name in ("weight", "bias")}
        return arguments, {"center": has["bias"], "scale": has["weight"]}
