"""Slices of images: `x[:, :8]` of eight channels is all of them; a note says what others take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call

PART = "tensor.part"
"""The path of a call whose arguments are the slices of channels, height and width."""
_WHOLE = slice(None)


def part_of(indices: Sequence[Any], line: int, *, channels_last: bool = False) -> Call | None:
    """The call for `x[:, :8]` and `x[..., 1:-1, 1:-1]`; None if this is more than slices of an image."""
    values = list(indices)
    if values.count(...) == 1 and len(values) <= 5:
        at = values.index(...)
        values[at : at + 1] = [_WHOLE] * (5 - len(values))
    if not 2 <= len(values) <= 4 or not all(isinstance(each, slice) for each in values):
        return None
    first, *sides = [*values, _WHOLE, _WHOLE, _WHOLE][:4]
    if channels_last:
        sides = [sides[2], *sides[:2]]
    return Call(PART, tuple(sides), {}, line) if first == _WHOLE else None


def steps_of(call: Call) -> tuple[int, ...] | None:
    """The steps of a part such as `x[:, :, ::2, ::2]`, every second pixel, say; None for any other."""
    channels, *sides = call.positional
    is_plain = channels == _WHOLE and sides != [_WHOLE, _WHOLE]
    return tuple(each.step or 1 for each in sides) if is_plain and all(map(_is_step, sides)) else None


def _is_step(part: slice) -> bool:
    is_whole = part.start in (None, 0) and part.stop is None
    return is_whole and (part.step is None or (type(part.step) is int and part.step > 0))


def takes_everything(call: Call, shape: Shape | None) -> bool:
    """Whether the slices leave out nothing of images of this shape."""
    if shape is None or not shape.is_image:
        return False
    return all(_is_whole(each, size) for each, size in zip(call.positional, shape.dims, strict=True))


def _is_whole(part: slice, size: int) -> bool:
    bounds = (part.start, part.stop, part.step)
    if not all(each is None or type(each) is int for each in bounds) or part.step == 0:
        return False
    return part.indices(size) == (0, size, 1)


def describe_part(call: Call) -> str:
    """What the code takes and the design does not, as a note."""
    is_of_channels, *sides = (each != _WHOLE for each in call.positional)
    if is_of_channels and any(sides):
        return "this takes a part of the channels and of the image, which no layer does; all of it is used"
    if is_of_channels:
        return "this takes only some of the channels, which no layer does; all of them are used"
    return "this takes a part of the image, which no layer does; all of it is used"
