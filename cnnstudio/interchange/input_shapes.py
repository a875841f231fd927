"""The images that a network takes, as code says them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cnnstudio.design.network import MAXIMUM_INPUT
from cnnstudio.layers.base import Shape
from cnnstudio.layers.shape import times

DEFAULT_INPUT = Shape.of(3, 32, 32)
"""Where the code does not say it."""


def keras_input(value: Any) -> tuple[Shape | None, str]:
    """The images of a Keras shape, (height, width, channels), and what there is to say of them."""
    default = f"images of {DEFAULT_INPUT} are drawn"
    if value is None:
        return None, f"the code does not say what goes in: {default}"
    sizes = (value,) if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or not 1 <= len(sizes) <= 3:
        return None, f"what goes in, only the running program knows: {default}"
    known = [size if type(size) is int else None for size in sizes]
    if len(known) == 1:
        return flat_input(known[0])
    if len(known) == 2:
        known.append(1)
    if None in known:
        height, width, channels = (size or instead for size, instead in zip(known, (32, 32, 3), strict=True))
        words = f"the code leaves a size of the input open: {channels} × {height} × {width} is drawn"
        return image(channels, height, width)[0], words
    height, width, channels = (size or 0 for size in known)
    return image(channels, height, width)


def image(channels: int, height: int, width: int) -> tuple[Shape | None, str]:
    """Images of that size, if a design can have them."""
    sizes = channels, height, width
    if all(1 <= size <= MAXIMUM_INPUT for size in sizes):
        return Shape.of(*sizes), ""
    return None, (
        f"images of {times(sizes)} are not possible, each is at most {MAXIMUM_INPUT:,}: "
        f"{DEFAULT_INPUT} is drawn"
    )


def flat_input(features: int | None) -> tuple[Shape | None, str]:
    """Images with so many numbers: a design always takes images."""
    for channels in (1, 3):
        side = math.isqrt((features or 0) // channels)
        if features and side * side * channels == features and side <= MAXIMUM_INPUT:
            shape = Shape.of(channels, side, side)
            return shape, f"this takes flat vectors; images of {shape} have as many numbers: insert Flatten"
    return None, f"this takes flat vectors, and a design takes images: {DEFAULT_INPUT} is drawn"


WRITTEN_NAME = "INPUT"
"""The constant in the files that this program writes, with the channels first."""
_NAMES = ("input", "input_shape", "input_size", "image_shape", "image_size", "img_shape", "img_size")
_SIZES = re.compile(r"(\d{1,4})\s*[x×,]\s*(\d{1,4})\s*[x×,]\s*(\d{1,4})(?!\d)")


def said_by_names(names: Mapping[str, Any]) -> tuple[int, ...] | None:
    """(channels, height, width) in a constant of the program: `INPUT = (3, 32, 32)`."""
    for name, value in names.items():
        whole = (
            isinstance(value, tuple | list) and len(value) == 3 and all(type(size) is int for size in value)
        )
        if whole and name.lower() in _NAMES:
            return tuple(value) if name == WRITTEN_NAME else _channels_first(tuple(value))
    return None


def said_by_comments(comments: Iterable[tuple[int, str]]) -> tuple[int, ...] | None:
    """The same in a comment: `# input: 3 x 32 x 32`."""
    for _, comment in comments:
        found = _SIZES.search(comment)
        if found and re.search(r"input|image|image", comment, re.IGNORECASE):
            return _channels_first(tuple(map(int, found.groups())))
    return None


def _channels_first(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Some write the channels last; there are 1 or 3 of them."""
    return (sizes[2], sizes[0], sizes[1]) if sizes[2] in (1, 3) and sizes[0] not in (1, 3) else sizes
