"""Views, borders and orders of channels: what no layer does, and where it does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.slices import PART, describe_part, takes_everything
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Unknown

SHUFFLE = "tensor.shuffle"
_SPLITS = "this splits the channels, which no layer does; each part is read as all of them"
_WITHOUT_LAYER = {
    SHUFFLE: "this shuffles the channels, which no layer does; they stay in their order",
    "tensor.chunk": _SPLITS,
    "tensor.split": _SPLITS,
    "tensor.pad": "this adds channels or borders in a way that no layer does; it is skipped",
}


@dataclass(frozen=True)
class TensorSize(Unknown):
    """The size of a tensor along an axis, as in `x.size(2)`."""

    axis: int = 0


def shuffled(tensor: SymbolicTensor, sizes: Sequence[Any], line: int) -> SymbolicTensor | None:
    """The tensor whose channels `view`, `transpose(1, 2)` and a second `view` shuffle; None for any other."""
    swap = _last_call(tensor)
    before = tensor.inputs[0] if swap.path in ("tensor.transpose", "tensor.permute") else tensor
    split = _last_call(before)
    is_swap = tuple(swap.positional) in ((1, 2), (2, 1), (0, 2, 1, 3, 4))
    is_split = split.path in ("tensor.view", "tensor.reshape") and len(split.positional) == 5
    if before is tensor or not is_swap or not is_split or len(sizes) != 4:
        return None
    return before.inputs[0].then(LayerCall(Call(SHUFFLE, (), {}, line)))


def is_split(tensor: SymbolicTensor) -> bool:
    """Whether this stands for several parts of a tensor."""
    return _last_call(tensor).path in ("tensor.split", "tensor.chunk", "tensor.tensor_split", "tensor.unbind")


def _last_call(tensor: SymbolicTensor) -> Call:
    last = tensor.items[-1] if len(tensor.items) == 1 and tensor.inputs else None
    return last.call if isinstance(last, LayerCall) else Call("")


def changes_nothing(call: Call, shape: Shape | None) -> bool:
    """Whether slices leave out nothing of images of this shape, or a view has the sizes that these have."""
    if call.path == PART:
        return takes_everything(call, shape)
    is_view = call.path in ("tensor.view", "tensor.reshape") and len(call.positional) == 4
    if not is_view or shape is None or not shape.is_image:
        return False
    sizes = enumerate(zip(call.positional[1:], shape.dims, strict=True), start=1)
    return all(found == size or _is_size_of(found, axis) for axis, (found, size) in sizes)


def _is_size_of(value: Any, axis: int) -> bool:
    return isinstance(value, TensorSize) and value.axis % 4 == axis


def why_without_layer(call: Call) -> str:
    """What such a call does, as a note; empty for any other."""
    if call.name.endswith("Pad2d") and _has_negative(call.positional[:1]):
        return "this cuts off the border, which no layer does; it is skipped"
    return describe_part(call) if call.path == PART else _WITHOUT_LAYER.get(call.path, "")


def _has_negative(border: Sequence[Any]) -> bool:
    sides = border[0] if border and isinstance(border[0], tuple | list) else border
    return any(type(each) is int and each < 0 for each in sides)
