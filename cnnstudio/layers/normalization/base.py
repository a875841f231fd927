"""What the normalizing layers share: a trained factor and offset a channel, each of which may be missing.

torch's layers have both or none. Where one of the two is wanted, the other stands still at 1 or 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cnnstudio.core.parameters import flag, number
from cnnstudio.layers.base import Family, Layer, Role, Shape
from cnnstudio.layers.code import Arguments, Call
from cnnstudio.layers.helpers import helper
from cnnstudio.layers.initializers import FROZEN_HELPER

if TYPE_CHECKING:
    from torch import nn


def epsilon_number() -> Any:
    """A dataclass field for Keras's `epsilon`, torch's `eps`."""
    return number(0.001, minimum=1e-12, maximum=1.0, help="keeps the division away from zero")


def center_flag() -> Any:
    """A dataclass field for Keras's `center`."""
    return flag(True, label="Offset", help="a trained number added to each feature map")


def scale_flag() -> Any:
    """A dataclass field for Keras's `scale`."""
    return flag(True, label="Factor", help="a trained number that each feature map is multiplied by")


class Normalization(Layer):
    """No layer type, and without fields of its own: each type declares these in Keras's order."""

    family: ClassVar[Family] = Family.ACTIVATION
    role: ClassVar[Role] = Role.NORMALIZES

    epsilon: float
    center: bool
    scale: bool

    @property
    def is_affine(self) -> bool:
        """Whether torch's layer has weights: both or none."""
        return self.center or self.scale

    @property
    def _still(self) -> str:
        """The one weight of torch's layer that stands still; empty for none."""
        return "" if self.center == self.scale else "weight" if self.center else "bias"

    def parts_summary(self) -> str:
        """What is missing, to end the words of a row; empty where nothing is."""
        return ("" if self.scale else ", no factor") + ("" if self.center else ", no offset")

    def parameter_count(self, shape: Shape) -> int:
        return (self.center + self.scale) * shape.channels

    def freeze(self, module: nn.Module) -> nn.Module:
        """The module, which has both or none, with what is not wanted standing still."""
        return helper("frozen", FROZEN_HELPER)(module, self._still) if self._still else module

    def frozen_code(self, code: str) -> str:
        """The same as code."""
        return f'frozen({code}, "{self._still}")' if self._still else code

    def pytorch_helpers(self) -> tuple[str, ...]:
        return (*super().pytorch_helpers(), FROZEN_HELPER) if self._still else super().pytorch_helpers()

    def keras_parts(self) -> str:
        """The arguments of a Keras layer, as `, scale=False`."""
        return ("" if self.center else ", center=False") + ("" if self.scale else ", scale=False")

    @classmethod
    def thawed(cls, call: Call, affine: str = "affine") -> tuple[Arguments, dict[str, bool]]:
        """The arguments in what `frozen_code` wrote, and the `center` and `scale` that it stands for.

        `affine` is torch's argument for whether there are weights at all.
        """
        still: list[Any] = []
        if call.name == "frozen" and call.positional and isinstance(call.positional[0], Call):
            call, *still = call.positional
        arguments = Arguments(call, cls.pytorch_calls[call.name])
        has = {name: arguments[affine] and name not in still for name in ("weight", "bias")}
        return arguments, {"center": has["bias"], "scale": has["weight"]}
