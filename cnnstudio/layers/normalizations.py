"""What the normalising layers share: a trained factor and offset a channel, each of which may be missing.

torch's layers have both or none. Where one of the two is wanted, the other stands still at 1 or 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnstudio.layers.code import Call
from cnnstudio.layers.params import flag
from cnnstudio.layers.weights import frozen

if TYPE_CHECKING:
    from torch import nn


def center_flag() -> Any:
    """A dataclass field for Keras's `center`."""
    return flag(True, label="Offset", help="a trained number added to each feature map")


def scale_flag() -> Any:
    """A dataclass field for Keras's `scale`."""
    return flag(True, label="Factor", help="a trained number that each feature map is multiplied by")


def parts_summary(center: bool, scale: bool) -> str:
    """What is missing, to end the words of a row; empty where nothing is."""
    if center and scale:
        return ""
    return ", no offset" if scale else ", no factor" if center else ", no factor, no offset"


def frozen_names(center: bool, scale: bool) -> list[str]:
    """The weights of torch's layer that stand still. Without factor and offset it has none at all."""
    return [] if center == scale else ["weight"] if center else ["bias"]


def freeze_parts(module: nn.Module, center: bool, scale: bool) -> nn.Module:
    """The module, which has both or none, with what is not wanted standing still."""
    return frozen(module, *frozen_names(center, scale))


def frozen_code(code: str, center: bool, scale: bool) -> str:
    """The same as code."""
    names = frozen_names(center, scale)
    return f'frozen({code}, "{names[0]}")' if names else code


def unfrozen(call: Call) -> tuple[Call, tuple[str, ...]]:
    """What `frozen_code` wrote its call around, and the weights that stand still."""
    if call.name == "frozen" and call.positional and isinstance(call.positional[0], Call):
        return call.positional[0], tuple(map(str, call.positional[1:]))
    return call, ()


def thawed_parts(names: tuple[str, ...], affine: bool) -> dict[str, bool]:
    """`center` and `scale` of a layer whose weights of these names stand still, or that has none at all."""
    return {"center": affine and "bias" not in names, "scale": affine and "weight" not in names}


def keras_parts(center: bool, scale: bool) -> str:
    """The arguments of a Keras layer, as `, scale=False`."""
    return ("" if center else ", center=False") + ("" if scale else ", scale=False")
