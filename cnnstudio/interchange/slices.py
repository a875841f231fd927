"""Slices of images: `x[:, :8]` of eight channels is all of them; a note says what no layer takes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnstudio.interchange.sizes import TensorSize, known_size
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


def channels_taken(call: Call, shape: Shape) -> tuple[int, int] | None:
    """(first channel, number of channels) that the slices take; None if they take something else."""
    channels, *sides = call.positional
    bounds = (channels.start, channels.stop)
    if sides != [_WHOLE, _WHOLE] or channels.step not in (None, 1):
        return None
    if not all(each is None or type(each) is int for each in bounds):
        return None
    start, stop, _ = channels.indices(shape.channels)
    return (start, stop - start) if start < stop else None


def equal_parts(count: int, line: int) -> list[Call]:
    """The calls for so many parts of the channels, of equal size but for the last one."""
    size = TensorSize("", 1).then(ast.Div, count).then("ceil")
    return parts_between([size.then(ast.Mult, index) for index in range(count + 1)], line)


def parts_between(bounds: Sequence[Any], line: int) -> list[Call]:
    """The calls for the parts of the channels between each two of these bounds."""
    parts = [slice(*pair) for pair in itertools.pairwise(bounds)]
    return [Call(PART, (part, _WHOLE, _WHOLE), {}, line) for part in parts]


def with_known_bounds(call: Call, shape: Shape) -> Call:
    """The slices with the numbers that depend on the shape of the images."""
    return replace(call, positional=tuple(_with_known_bounds(each, shape) for each in call.positional))


def _with_known_bounds(part: slice, shape: Shape) -> slice:
    bounds = (part.start, part.stop, part.step)
    return slice(*(known_size(each, shape) if isinstance(each, TensorSize) else each for each in bounds))


def describe_part(call: Call) -> str:
    """What the code takes and the design does not, as a note."""
    is_of_channels, *sides = (each != _WHOLE for each in call.positional)
    if is_of_channels and any(sides):
        return "this takes a part of the channels and of the image, which no layer does; all of it is used"
    if is_of_channels:
        return "this takes some of the channels, in a way that cannot be read; all of them are used"
    return "this takes a part of the image, which no layer does; all of it is used"
