"""Functions of tensors as the modules that do the same: views, windows, borders, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.pytorch.modules import NN
from cnnstudio.interchange.pytorch.parts import shuffled
from cnnstudio.interchange.sizes import TensorSize
from cnnstudio.layers.code import Arguments, Call, Unknown

_SPATIAL = (2, 3)
_BORDERS = {
    "constant": "ConstantPad2d",
    "reflect": "ReflectionPad2d",
    "replicate": "ReplicationPad2d",
    "circular": "CircularPad2d",
}
"""Modes of `F.pad` -> the modules that do the same."""


def _is_unclear(sizes: Sequence[Any]) -> bool:
    """Whether the number of axes is not known: `x.view(shape)`."""
    only = sizes[0]
    return len(sizes) == 1 and isinstance(only, Unknown) and not isinstance(only, TensorSize)


def _channels_of_rows(call: Call) -> int | None:
    """For a call that makes one row of the pixels of each channel, the number of channels in it.

    0 if the call does not say it; None for any other call.
    """
    if call.path == "tensor.flatten" and call.positional == (2,) and not call.keywords:
        return 0
    if call.path not in ("tensor.view", "tensor.reshape") or len(call.positional) != 3:
        return None
    _, channels, pixels = call.positional
    if type(pixels) is int and pixels != -1:
        return None
    if isinstance(channels, TensorSize):
        return 0 if channels.is_axis(1) else None
    return channels if type(channels) is int and channels > 0 else None


def is_whole_image(arguments: Sequence[Any]) -> bool:
    """Whether a window is as large as the image: `F.avg_pool2d(x, x.size()[2:])`."""
    size = arguments[0] if arguments else None
    sizes = size if isinstance(size, tuple | list) else (size,)
    return bool(sizes) and all(isinstance(each, TensorSize) and each.is_axis(*_SPATIAL) for each in sizes)


def clamping(positional: Sequence[Any], keywords: Mapping[str, Any]) -> str | None:
    """The module that limits values as `x.clamp(0)` or `x.clamp(0, 6)` does; None for other limits."""
    names = ("min_val" if "min_val" in keywords else "min", "max_val" if "max_val" in keywords else "max")
    given = {**dict(zip(names, positional, strict=False)), **keywords}
    limits = tuple(given.get(name) for name in names)
    if not given.keys() <= {*names, "inplace"}:
        return None
    if limits == (0, None):
        return f"{NN}ReLU"
    return f"{NN}ReLU6" if limits == (0, 6) else None


def padding_module(call: Call) -> Call:
    """The module for `F.pad(x, pad, mode, value)`; unchanged if not only height and width are padded."""
    if len(call.positional) > 3:
        return call
    arguments = Arguments(call, "pad=None, mode='constant', value=0").values()
    border, mode = arguments["pad"], arguments["mode"]
    if isinstance(border, tuple | list) and len(border) > 4 and not any(map(_is_not_zero, border[4:])):
        border = border[:4]
    if _adds_channels(border) and (mode, arguments["value"] or 0) == ("constant", 0):
        return Call(f"{NN}ZeroPad3d", (tuple(border[:6]),), {}, call.line)
    if not isinstance(border, tuple | list) or len(border) not in (2, 4) or mode not in _BORDERS:
        return call
    sides = (*border, 0, 0)[:4]
    value = arguments["value"] or 0
    if mode == "constant" and value == 0:
        return Call(f"{NN}ZeroPad2d", (sides,), {}, call.line)
    return Call(f"{NN}{_BORDERS[mode]}", (sides, value)[: 2 if mode == "constant" else 1], {}, call.line)


def _adds_channels(border: Any) -> bool:
    """Whether a border adds channels, and nothing around the image."""
    whole = isinstance(border, tuple | list) and len(border) >= 6 and not any(map(_is_not_zero, border[6:]))
    return (
        whole
        and not any(map(_is_not_zero, border[:4]))
        and all(type(each) is int and each >= 0 for each in border[4:6])
    )


def _is_not_zero(value: Any) -> bool:
    return type(value) is not int or value != 0


def squeezed(tensor: SymbolicTensor, line: int) -> SymbolicTensor:
    """`x.squeeze()`: a vector, after global pooling."""
    last = tensor.items[-1] if len(tensor.items) == 1 else None
    name = last.call.name if isinstance(last, LayerCall) else ""
    if name == "Flatten":
        return tensor  # `x.squeeze(3).squeeze(2)`
    if name.startswith("Adaptive"):
        return tensor.then(LayerCall(Call(f"{NN}Flatten", (), {}, line)))
    return tensor.then(LayerCall(Call("tensor.squeeze", (), {}, line)))


def flattened(
    tensor: SymbolicTensor,
    name: str,
    positional: Sequence[Any],
    keywords: Mapping[str, Any],
    line: int,
) -> SymbolicTensor:
    """`x.flatten()`, `x.view(…)` or `x.reshape(…)`: a flat vector, or shuffled channels."""
    sizes = positional[0] if positional and isinstance(positional[0], tuple | list) else positional
    start = keywords.get("start_dim", positional[0] if positional else 1)
    found = shuffled(tensor, (0, 0, 0, 0) if (start, *positional[1:]) == (1, 2) else sizes, line)
    if found is not None:
        return found
    partly = name == "flatten" and start not in (0, 1)
    unclear = name != "flatten" and (not sizes or _is_unclear(sizes))
    if partly or unclear or (name != "flatten" and len(sizes) > 2):
        return tensor.then(LayerCall(Call(f"tensor.{name}", tuple(sizes), keywords, line)))
    return tensor.then(LayerCall(Call(f"{NN}Flatten", (), {}, line)))


def pooled_along(
    tensor: SymbolicTensor,
    name: str,
    positional: Sequence[Any],
    keywords: Mapping[str, Any],
    line: int,
) -> SymbolicTensor:
    """The mean or the largest value along axes: global pooling, if these are height and width."""
    given = positional[0] if positional else keywords.get("dim", keywords.get("axis"))
    axes = given if isinstance(given, tuple | list) else (given,)
    keeps = keywords.get("keepdim", keywords.get("keepdims", [*positional, False, False][1]))
    last = tensor.items[-1] if len(tensor.items) == 1 else None
    before = last.call if isinstance(last, LayerCall) else Call("")
    channels = _channels_of_rows(before)
    pooled_before = before.positional if before.path == f"tensor.{name}" else ()
    kept_before = before.keywords.get("keepdim") is True
    rank = 3 if channels is not None or (pooled_before and not kept_before) else 4
    normal = sorted(axis + rank if axis < 0 else axis for axis in axes if type(axis) is int)
    kind = "AdaptiveAvgPool2d" if name == "mean" else "AdaptiveMaxPool2d"
    pooled = [LayerCall(Call(f"{NN}{kind}", (1,), {}, line))]
    if keeps is not True:
        pooled.append(LayerCall(Call(f"{NN}Flatten", (), {}, line)))
    if normal == [2, 3] and rank == 4:
        return tensor.then(*pooled)
    # `x.mean(3).mean(2)`: height and width in either order; the second axis is counted without the first.
    if pooled_before in ((2,), (3,)) and normal == ([5 - pooled_before[0]] if kept_before else [2]):
        return tensor.inputs[0].then(*pooled)
    # `x.view(n, c, -1).mean(2)` and `x.flatten(2).mean(-1)`
    if channels is not None and normal == [2]:
        check = [LayerCall(Call("tensor.channels", (channels,), {}, line))] if channels else []
        return tensor.inputs[0].then(*check, *pooled)
    kept = {"keepdim": True} if keeps is True else {}
    return tensor.then(LayerCall(Call(f"tensor.{name}", tuple(normal), kept, line)))
