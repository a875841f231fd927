"""The size that all images of a data set are brought to: chosen by the user, or by the images themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from cnnstudio.core.formatting import format_bytes, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import DataError
from cnnstudio.design.network import MAXIMUM_INPUT

Size = tuple[int, int]
"""Height and width in pixels."""
AUTOMATIC: Size = (0, 0)
"""The images decide; see `common_size`."""
MAXIMUM_SIDE = MAXIMUM_INPUT
USUAL_SIDES = (32, 64, 96, 128, 160, 224)
_MAX_AUTOMATIC_SIDE = 224
_MAX_BYTES = 32_000_000_000
_CHANNELS = 3


def parse_size(text: str) -> Size:
    """Height and width from `224`, `224x320` or `224 × 320`; AUTOMATIC from `auto`. Raises DataError."""
    wanted = text.strip().lower()
    if wanted == "auto":
        return AUTOMATIC
    found = re.fullmatch(r"(\d{1,9})(?:\s*[x×]\s*(\d{1,9}))?", wanted, re.ASCII)
    sides = (int(found[1]), int(found[2] or found[1])) if found else AUTOMATIC
    if not all(1 <= side <= MAXIMUM_SIDE for side in sides):
        raise DataError(
            f"“{shorten(text, 50)}” is not a size of images: use pixels from 1 to {MAXIMUM_SIDE:,}, such as "
            "64, or height × width, such as 64x96."
        )
    return sides


def format_size(size: Size) -> str:
    """`64 × 64`, or `64 × 96 (height × width)`."""
    return f"{size[0]} × {size[1]}{order_of([size])}"


def order_of(sizes: Iterable[Size]) -> str:
    """What has to be said behind some sizes of which only the numbers are given; nothing behind squares."""
    return "" if all(height == width for height, width in sizes) else " (height × width)"


def size_from_json(value: Any) -> Size:
    """The size that was written as a list; AUTOMATIC for anything else."""
    if isinstance(value, list) and len(value) == 2:
        height, width = value
        if all(type(side) is int and 1 <= side <= MAXIMUM_SIDE for side in (height, width)):
            return height, width
    return AUTOMATIC


def common_size(sizes: Counter[tuple[int, int]], count: int) -> Size:
    """The size for `count` images, of which some have these sizes (width, height).

    The most common one if at least half of them have it, else a square with the median of the shorter sides;
    at most 224 pixels a side and 32 GB in total.
    """
    if not sizes:
        return 1, 1
    ((width, height), most) = sizes.most_common(1)[0]
    if most * 2 < sizes.total():
        sides = sorted(min(each) for each in sizes.elements())
        width = height = sides[len(sides) // 2]
    limit = (_MAX_BYTES / decoded_bytes(count, (height, width))) ** 0.5
    scale = min(1, _MAX_AUTOMATIC_SIDE / max(width, height), limit)
    return max(1, round(height * scale)), max(1, round(width * scale))


def decoded_bytes(count: int, size: Size) -> int:
    """What so many images take, decoded at that size."""
    return count * _CHANNELS * size[0] * size[1]


def require_decodable(count: int, size: Size) -> None:
    """Raises DataError if so many images of that size are more than is kept."""
    if decoded_bytes(count, size) > _MAX_BYTES:
        images, needed = pluralize(count, "image"), format_bytes(decoded_bytes(count, size))
        raise DataError(
            f"{images} at {format_size(size)} take {needed}, but at most {format_bytes(_MAX_BYTES)} are "
            "possible: choose a smaller size."
        )
