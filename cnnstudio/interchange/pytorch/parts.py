"""Views, borders, parts and orders of channels: which layer does them, and what no layer does."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.pytorch.modules import NN
from cnnstudio.interchange.sizes import TensorSize, known_size
from cnnstudio.interchange.slices import (
    PART,
    channels_taken,
    describe_part,
    equal_parts,
    takes_everything,
    with_known_bounds,
)
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Unknown

SHUFFLE = "tensor.shuffle"
_SPLITS = "this splits the image, or channels in a way that cannot be read; each part is read as all of it"
_WITHOUT_LAYER = {
    SHUFFLE: "this shuffles the channels in groups whose number is not known; they stay in their order",
    "tensor.chunk": _SPLITS,
    "tensor.split": _SPLITS,
    "tensor.pad": "this adds channels or borders in a way that no layer does; it is skipped",
}
STOCHASTIC_DEPTH = frozenset(
    {"drop_path", "droppath", "drop_connect", "dropconnect", "stochastic_depth", "stochasticdepth"}
)
"""What functions and classes are called that leave out a branch at random in training, in lower case."""
KEPT_BRANCH = "stochastic depth is not supported: this branch is never left out in training"
_SPLITTING = ("split", "chunk", "tensor_split", "unbind")
_MOST_PARTS = 64
DUAL = "dual "
"""The mode of a join of which the first channels are added, before their number."""
_ALL = slice(None)


def shuffled(tensor: SymbolicTensor, sizes: Sequence[Any], line: int) -> SymbolicTensor | None:
    """The tensor whose channels `view`, `transpose(1, 2)` and a second `view` shuffle; None for any other."""
    swap = _last_call(tensor)
    before = tensor.inputs[0] if swap.path in ("tensor.transpose", "tensor.permute") else tensor
    split = _last_call(before)
    is_swap = tuple(swap.positional) in ((1, 2), (2, 1), (0, 2, 1, 3, 4), ((0, 2, 1, 3, 4),))
    is_split = split.path in ("tensor.view", "tensor.reshape") and len(split.positional) == 5
    if before is tensor or not is_swap or not is_split or len(sizes) != 4:
        return None
    return before.inputs[0].then(LayerCall(Call(SHUFFLE, split.positional[1:3], {}, line)))


def part_of_channels(tensor: SymbolicTensor, start: Any, length: Any, line: int) -> SymbolicTensor:
    """`x.narrow(1, start, length)`."""
    is_known = type(start) is int and type(length) is int
    taken = slice(start, start + length) if is_known else slice(start, Unknown())
    return tensor.then(LayerCall(Call(PART, (taken, _ALL, _ALL), {}, line)))


def split_of(
    tensor: SymbolicTensor, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
) -> Any:
    """What `x.chunk(2, 1)` and `x.split(8, dim=1)` give: a tuple where the number of parts is known."""
    call = Call(f"tensor.{name}", tuple(positional), keywords, line)
    what, axis = _splitting(call)
    whole = tensor.then(LayerCall(call))
    if axis not in (1, -3):
        # Along another axis, where the parts are no images: a note is all that can be done.
        count = len(what) if isinstance(what, list | tuple) else what if name == "chunk" else None
        return (whole,) * count if type(count) is int and 1 <= count <= _MOST_PARTS else whole
    if isinstance(what, list | tuple):
        return _parts(tensor, what, line) if len(what) <= _MOST_PARTS else whole
    if name == "chunk" and type(what) is int and 1 <= what <= _MOST_PARTS:
        return tuple(tensor.then(LayerCall(part)) for part in equal_parts(what, line))
    return whole


def parts_of_split(tensor: SymbolicTensor, count: int) -> list[SymbolicTensor] | None:
    """What so many names get from a split by the size of the parts; None if they are too many."""
    call = _last_call(tensor)
    what, axis = _splitting(call)
    # `tensor_split` is told the number of the parts, and not their size.
    is_by_size = call.name == "split" and not isinstance(what, list | tuple)
    if axis not in (1, -3) or not is_by_size or not 1 <= count <= _MOST_PARTS:
        return [tensor] * count if count <= _MOST_PARTS else None
    return list(_parts(tensor.inputs[0], [what] * count, call.line))


def _splitting(call: Call) -> tuple[Any, Any]:
    """(number or sizes of the parts, axis) of a split."""
    what, axis = [*call.positional, None, None][:2]
    names = ("chunks", "split_size", "split_size_or_sections", "indices_or_sections")
    given = next((call.keywords[name] for name in names if name in call.keywords), what)
    return given, call.keywords.get("dim", 0 if axis is None else axis)


def _parts(tensor: SymbolicTensor, sizes: Sequence[Any], line: int) -> tuple[SymbolicTensor, ...]:
    found: list[SymbolicTensor] = []
    start: Any = 0
    for index, size in enumerate(sizes):
        stop: Any = Unknown()
        if type(size) is int and type(start) is int:
            stop = start + size
        elif isinstance(size, TensorSize) and all(each == size for each in sizes):
            stop = size.then(ast.Mult, index + 1)
        found.append(tensor.then(LayerCall(Call(PART, (slice(start, stop), _ALL, _ALL), {}, line))))
        start = stop
    return tuple(found)


def dual_path(tensors: Sequence[SymbolicTensor], line: int) -> SymbolicTensor | None:
    """What `cat([x[:, :d] + y[:, :d], x[:, d:], y[:, d:]], 1)` gives; None for any other tensors.

    From Chen et al. 2017, Dual Path Networks: the first channels of two tensors are added, the others of both
    follow. No tree of groups has the parts of two tensors in several branches; a join of the two can.
    """
    if len(tensors) != 3 or tensors[0].mode != "add" or tensors[0].activation is not None:
        return None
    added = [_channels_of(each) for each in tensors[0].inputs]
    others = [_channels_of(each) for each in tensors[1:]]
    if len(added) != 2 or None in (*added, *others):
        return None
    (one, first), (other, second) = added  # type: ignore[misc]  # none of them is None
    (third, rest), (fourth, more) = others  # type: ignore[misc]  # as above
    count = first.stop
    if type(count) is not int or count < 1 or {first.start, second.start} - {None, 0}:
        return None
    are_rests = all(each.start == count and each.stop is None for each in (rest, more))
    if second.stop != count or not are_rests or (third, fourth) not in ((one, other), (other, one)):
        return None
    return SymbolicTensor((third, fourth), (), f"{DUAL}{count}", line)


def _channels_of(tensor: SymbolicTensor) -> tuple[SymbolicTensor, slice] | None:
    """(tensor, its channels) for a part of a tensor that has whole images; None for any other."""
    call = _last_call(tensor)
    if call.path != PART or list(call.positional[1:]) != [_ALL, _ALL] or call.positional[0].step:
        return None
    return tensor.inputs[0], call.positional[0]


def is_split(tensor: SymbolicTensor) -> bool:
    """Whether this stands for several parts of a tensor."""
    return _last_call(tensor).path in tuple(f"tensor.{name}" for name in _SPLITTING)


def _last_call(tensor: SymbolicTensor) -> Call:
    last = tensor.items[-1] if len(tensor.items) == 1 and tensor.inputs else None
    return last.call if isinstance(last, LayerCall) else Call("")


def with_known_sizes(call: Call, shape: Shape | None) -> Call:
    """The module that does the same with images of this shape; the call itself if there is none."""
    if shape is None or not shape.is_image:
        return call
    if call.path == SHUFFLE:
        groups = _shuffled_groups(call, shape)
        return call if groups is None else Call(f"{NN}ChannelShuffle", (groups,), {}, call.line)
    if call.path == PART:
        known = with_known_bounds(call, shape)
        taken = None if takes_everything(known, shape) else channels_taken(known, shape)
        return known if taken is None else Call("helpers.ChannelSlice", taken, {}, call.line)
    return call


def _shuffled_groups(call: Call, shape: Shape) -> int | None:
    groups, inside = (known_size(each, shape) for each in call.positional)
    if groups == -1 or groups is None:
        groups = shape.channels // inside if inside and inside > 0 and not shape.channels % inside else None
    return groups


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
    return isinstance(value, TensorSize) and value.is_axis(axis)


def why_without_layer(call: Call) -> str:
    """What such a call does, as a note; empty for any other."""
    if call.name.endswith("Pad2d") and _has_negative(call.positional[:1]):
        return "this cuts off the border, which no layer does; it is skipped"
    return describe_part(call) if call.path == PART else _WITHOUT_LAYER.get(call.path, "")


def _has_negative(border: Sequence[Any]) -> bool:
    sides = border[0] if border and isinstance(border[0], tuple | list) else border
    return any(type(each) is int and each < 0 for each in sides)
