"""Views and windows whose sizes are those of the image: `x.view(x.size(0), -1)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.interchange.sizes import TensorSize
from cnnstudio.layers.code import Call, Unknown

_SPATIAL = (2, 3)


def is_unclear(sizes: Sequence[Any]) -> bool:
    """Whether the number of axes is not known: `x.view(shape)`."""
    only = sizes[0]
    return len(sizes) == 1 and isinstance(only, Unknown) and not isinstance(only, TensorSize)


def channels_of_rows(call: Call) -> int | None:
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
