"""Finds the input shape of a network in code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cnnstudio.design.network import MAXIMUM_INPUT
from cnnstudio.layers.base import Shape
from cnnstudio.layers.shape import format_sizes

DEFAULT_INPUT = Shape.of(3, 32, 32)
"""Used if the code does not say it."""


def input_from_keras_shape(value: Any) -> tuple[Shape | None, str]:
    """(input shape, note) for a Keras shape (height, width, channels); None if it is not known."""
    default = f"{DEFAULT_INPUT} is used instead"
    if value is None:
        return None, f"the code does not specify the input shape; {default}"
    sizes = (value,) if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or not 1 <= len(sizes) <= 3:
        return None, f"the input shape is only known at run time; {default}"
    known = [size if type(size) is int else None for size in sizes]
    if len(known) == 1:
        return input_for_features(known[0])
    if len(known) == 2:
        known.append(1)
    if None in known:
        height, width, channels = (size or usual for size, usual in zip(known, (32, 32, 3), strict=True))
        note = f"the input shape is not fully specified; {channels} × {height} × {width} is used"
        return image_shape(channels, height, width)[0], note
    height, width, channels = (size or 0 for size in known)
    return image_shape(channels, height, width)


def image_shape(channels: int, height: int, width: int) -> tuple[Shape | None, str]:
    """(shape, note) for images of that size; None if a design cannot have them."""
    sizes = channels, height, width
    if all(1 <= size <= MAXIMUM_INPUT for size in sizes):
        return Shape.of(*sizes), ""
    return None, (
        f"the input shape {format_sizes(sizes)} is not possible, sizes must be between 1 and "
        f"{MAXIMUM_INPUT:,}; {DEFAULT_INPUT} is used instead"
    )


def input_for_features(features: int | None) -> tuple[Shape | None, str]:
    """(shape, note) of images with that number of values: a design's input is always an image."""
    for channels in (1, 3):
        side = math.isqrt((features or 0) // channels)
        if features and side * side * channels == features and side <= MAXIMUM_INPUT:
            shape = Shape.of(channels, side, side)
            return shape, f"this takes flat vectors; images of {shape} have as many values: insert Flatten"
    return None, f"this takes flat vectors, but a design takes images; {DEFAULT_INPUT} is used"


INPUT_CONSTANT = "INPUT"
"""The constant in files written by this program, always channels first."""
_NAMES = ("input", "input_shape", "input_size", "image_shape", "image_size", "img_shape", "img_size")
_SIZES = re.compile(r"(?<!\d)\d{1,4}(?:\s*[x×,]\s*\d{1,4}){2,3}(?!\d)")


def input_from_constants(names: Mapping[str, Any]) -> tuple[int, ...] | None:
    """(channels, height, width) from a constant in the program, such as `INPUT = (3, 32, 32)`."""
    for name, value in names.items():
        is_shape = (
            isinstance(value, tuple | list) and len(value) == 3 and all(type(size) is int for size in value)
        )
        if is_shape and name.lower() in _NAMES:
            return tuple(value) if name == INPUT_CONSTANT else _channels_first(tuple(value))
    return None


def sizes_from_constants(names: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(height, width) from constants of the program, such as `IMG_SIZE = 64`."""
    found = []
    for name, value in names.items():
        sides = tuple(value) if isinstance(value, tuple | list) else (value, value)
        if name.lower() in _NAMES and len(sides) == 2 and all(type(side) is int for side in sides):
            found.append((sides[0], sides[1]))
    return found


_SMALLEST_SIDE = 4
"""Of images in comments. Smaller numbers are about something else."""


def input_from_comments(comments: Iterable[tuple[int, str]]) -> list[tuple[int, ...]]:
    """(channels, height, width) from comments, such as `# input: 3 x 32 x 32`; of four numbers the last."""
    found = []
    for _, comment in comments:
        for numbers in _SIZES.finditer(comment):
            # `# 3 x 32 x 32 images`, but no other list of numbers that stands before the word.
            is_product = "," not in numbers.group()
            near = comment if is_product else comment[: numbers.start()]
            sizes = [int(each) for each in re.findall(r"\d+", numbers.group())]
            shape = _channels_first(tuple(sizes[-3:]))
            if re.search(r"input|image|pictur", near, re.IGNORECASE) and min(shape[1:]) >= _SMALLEST_SIDE:
                found.append(shape)
                break
    return found[:10]


def _channels_first(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """(channels, height, width) for sizes in either order: 1 or 3 is taken for the number of channels."""
    return (sizes[2], sizes[0], sizes[1]) if sizes[2] in (1, 3) and sizes[0] not in (1, 3) else sizes
