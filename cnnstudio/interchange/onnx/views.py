"""How a file arranges the values of a feature map or vector, compared with how a design does.

A design knows images, C × H × W, and flat vectors. Files transpose, reshape and flatten them at will:
TensorFlow keeps the channels last, flattening is a reshape, shuffling channels is a reshape, a transposition
and another reshape. None of this computes anything, so it is a view of the values that the design has.

A view has one entry for each axis of the file's array, without the batch. An axis is a tuple of parts,
(size, stride): a part of size s and stride t steps s times, by t values each, over the design's values, which
lie in a row in the order of C × H × W. An image of channels last is ((H, W),), ((W, 1),), ((C, H · W),);
flattened, it has the one axis ((H, W), (W, 1), (C, H · W)). Parts of size 1 are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.layers.shape import Shape

Part = tuple[int, int]
"""(size, stride)."""
Axis = tuple[Part, ...]
View = tuple[Axis, ...]

CHANNELS_FIRST, CHANNELS_LAST = "CHW", "HWC"


def plain(shape: Shape) -> View:
    """The design's own order: channels first, or the flat vector."""
    return tuple(_axis(size, stride) for size, stride in zip(shape.dims, _strides(shape), strict=True))


def _strides(shape: Shape) -> list[int]:
    return [math.prod(shape.dims[index + 1 :]) for index in range(len(shape.dims))]


def _axis(size: int, stride: int) -> Axis:
    return ((size, stride),) if size > 1 else ()


def ordered(shape: Shape, letters: str) -> View:
    """An image with its axes in the order of `letters`, such as HWC."""
    axes = dict(zip("CHW", plain(shape), strict=True))
    return tuple(axes[letter] for letter in letters)


def dims(view: View) -> tuple[int, ...]:
    """The sizes of the file's array, without the batch."""
    return tuple(math.prod(size for size, _ in axis) for axis in view)


def merged(parts: Iterable[Part]) -> Axis:
    """The parts, of which those that continue each other are one."""
    found: list[Part] = []
    for size, stride in parts:
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        elif size > 1:
            found.append((size, stride))
    return tuple(found)


def reshaped(view: View, target: Sequence[int]) -> View:
    """The same values in the same order, as an array of other dimensions. Raises NotExpressibleError."""
    left = list(merged(part for axis in view for part in axis))
    result: list[Axis] = []
    for wanted in target:
        axis: list[Part] = []
        while wanted > 1:
            if not left:
                raise NotExpressibleError("reshapes to another number of values")
            size, stride = left.pop(0)
            if wanted % size == 0:
                axis.append((size, stride))
                wanted //= size
            elif size % wanted == 0:
                axis.append((wanted, stride * (size // wanted)))
                left.insert(0, (size // wanted, stride))
                wanted = 1
            else:
                raise NotExpressibleError("cuts rows of values into pieces that no layer here makes")
        result.append(merged(axis))
    if left:
        raise NotExpressibleError("reshapes to another number of values")
    return tuple(result)


def flat_order(view: View) -> np.ndarray:
    """The place of each value of the flattened array among the design's values. int64 (F,)."""
    place = np.zeros(1, np.int64)
    for size, stride in merged(part for axis in view for part in axis):
        place = np.add.outer(place, np.arange(size, dtype=np.int64) * stride).reshape(-1)
    return place


def is_plain_order(view: View) -> bool:
    """Whether flattening the file's array gives the design's values in their order."""
    parts = merged(part for axis in view for part in axis)
    return not parts or (len(parts) == 1 and parts[0][1] == 1)


def layout(view: View, shape: Shape) -> str:
    """Which axis of an image is which: CHW, HWC or another order; empty for anything else."""
    if len(view) != 3 or not shape.is_image:
        return ""
    for letters in (CHANNELS_FIRST, CHANNELS_LAST, "HCW", "CWH", "WHC", "WCH"):
        if view == ordered(shape, letters):
            return letters
    return ""


def channel_axis(view: View, shape: Shape) -> int | None:
    """The axis that is all channels (or features) and nothing else; None if there is none."""
    if shape.is_image and len(view) == 3:
        place = layout(view, shape).find("C")
        return place if place >= 0 else None
    stride = _strides(shape)[0]
    wanted = _axis(shape.channels, stride)
    if wanted:
        return next((index for index, axis in enumerate(view) if axis == wanted), None)
    # A single channel: any axis of one value, of which the first is meant.
    return next((index for index, axis in enumerate(view) if not axis), None)
