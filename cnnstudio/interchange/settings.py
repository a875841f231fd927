"""Training settings in code, with the keys of a recipe: what both libraries have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Unknown

SHIFT_FRACTION = "shift_fraction"
"""Key for a shift as a fraction of the image size, until that is known: the recipe's is in pixels."""
_MAXIMUM_SHIFT = 16
NO_SETTING = "is not a setting of a recipe and is ignored"


def is_number(value: Any) -> bool:
    """Whether a value of the code is a number, and not True or False."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_set(value: Any) -> bool:
    """Whether an argument changes anything: neither None, False nor 0."""
    return isinstance(value, Unknown) or value not in (None, False, 0, 0.0)


def with_shift_in_pixels(recipe: Mapping[str, Any], shape: Shape, line: int, notes: Notes) -> dict[str, Any]:
    """The settings for images of that shape; a shift of more than a recipe allows is noted."""
    found = dict(recipe)
    fraction = found.pop(SHIFT_FRACTION, None)
    if fraction is not None:
        found["shift"] = max(1, round(fraction * shape.dims[-1]))
    if found.get("shift", 0) > _MAXIMUM_SHIFT:
        notes.add(line, f"shifts of {found['shift']} pixels: {_MAXIMUM_SHIFT}, the most possible, is used")
        found["shift"] = _MAXIMUM_SHIFT
    return found
