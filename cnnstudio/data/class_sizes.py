"""Says when the classes of a data set are far apart in size."""

from __future__ import annotations

from collections.abc import Mapping

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import shorten

_MIN_RATIO = 5
"""Of the largest class to the smallest."""


def describe_unequal_sizes(sizes: Mapping[str, int]) -> str:
    """A sentence without its period: `The classes differ widely in size, from …`; empty if they do not.

    `sizes` are the numbers of training images by class.
    """
    if len(sizes) < 2:
        return ""
    least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    small, large = sizes[least], sizes[most]
    if large < _MIN_RATIO * small:
        return ""
    smallest = f"{pluralize(small, 'image')} of {shorten(least)}"
    return f"The classes differ widely in size, from {smallest} to {large:,} of {shorten(most)}"
