"""Parts, borders and orders of channels: what no layer does, and where it does nothing.

`x[:, :8]` of eight channels is all of them. Elsewhere a note says what the code does and the design does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Unknown

PART, SHUFFLE = "tensor.part", "tensor.shuffle"
_WHOLE = slice(None)
_WITHOUT_LAYER = {
    SHUFFLE: "this shuffles the channels, which no layer does; they stay in their order",
    "tensor.chunk": "this splits the channels, which no layer does; each part is read as all of them",
    "tensor.split": "this splits the channels, which no layer does; each part is read as all of them",
    "tensor.pad": "this adds channels or borders in a way that no layer does; it is skipped",
}


@dataclass(frozen=True)
class TensorSize(Unknown):
    """The size of a tensor along an axis, as in `x.size(2)`."""

    axis: int = 0


def part_of(indices: Sequence[Any], line: int) -> Call | None:
    """The call for `x[:, :8]` and `x[..., 1:-1, 1:-1]`; None if this is more than slices of an image."""
    values = list(indices)
    if values.count(...) == 1 and len(values) <= 5:
        at = values.index(...)
        values[at : at + 1] = [_WHOLE] * (5 - len(values))
    is_image = 2 <= len(values) <= 4 and all(isinstance(each, slice) for each in values)
    return Call(PART, tuple(values[1:]), {}, line) if is_image and values[0] == _WHOLE else None


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


def _last_call(tensor: SymbolicTensor) -> Call:
    last = tensor.items[-1] if len(tensor.items) == 1 and tensor.inputs else None
    return last.call if isinstance(last, LayerCall) else Call("")


def changes_nothing(call: Call, shape: Shape) -> bool:
    """Whether slices leave out nothing of images of this shape, or a view has the sizes that these have."""
    if not shape.is_image:
        return False
    if call.path in ("tensor.view", "tensor.reshape") and len(call.positional) == 4:
        sizes = enumerate(zip(call.positional[1:], shape.dims, strict=True), start=1)
        return all(found == size or _is_size_of(found, axis) for axis, (found, size) in sizes)
    if call.path != PART:
        return False
    return all(_is_whole(each, size) for each, size in zip(call.positional, shape.dims, strict=False))


def _is_size_of(value: Any, axis: int) -> bool:
    return isinstance(value, TensorSize) and value.axis % 4 == axis


def _is_whole(part: slice, size: int) -> bool:
    bounds = (part.start, part.stop, part.step)
    if not all(each is None or type(each) is int for each in bounds) or part.step == 0:
        return False
    return part.indices(size) == (0, size, 1)


def _has_negative(border: Sequence[Any]) -> bool:
    sides = border[0] if border and isinstance(border[0], tuple | list) else border
    return any(type(each) is int and each < 0 for each in sides)


def why_without_layer(call: Call) -> str:
    """What such a call does, as a note; empty for any other."""
    if call.name.endswith("Pad2d") and _has_negative(call.positional[:1]):
        return "this cuts off the border, which no layer does; it is skipped"
    if call.path != PART:
        return _WITHOUT_LAYER.get(call.path, "")
    is_of_channels, *sides = (each != _WHOLE for each in call.positional)
    if is_of_channels and any(sides):
        return "this takes a part of the channels and of the image, which no layer does; all of it is used"
    if is_of_channels:
        return "this takes only some of the channels, which no layer does; all of them are used"
    return "this takes a part of the image, which no layer does; all of it is used"
