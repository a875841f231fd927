"""How the points of a map are colored: in groups, which the legend names and hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cnnstudio.core.colors import CLASS_COLORS
from cnnstudio.gui.theme.theme import theme
from cnnstudio.insight.instruments.embedding import EmbeddingReading
from cnnstudio.insight.scatter import SHAPES

Style = tuple[int, str]
"""A color, 0xRRGGBB, and a shape."""

_BANDS = (0.5, 0.8, 0.95)
"""Limits of the groups of confidence."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Each point belongs to one group."""

    kind: str
    """"class", "error" or "confidence"."""
    names: tuple[str, ...]
    members: npt.NDArray[np.intp]
    """The group of each point, (N,)."""
    tokens: tuple[str, ...] = ()
    """The color of each group; without these, groups have the colors of classes."""
    shapes: tuple[str, ...] = ()
    """The shape of each group that has a token."""

    @cached_property
    def counts(self) -> npt.NDArray[np.intp]:
        """The number of points in each group."""
        return np.bincount(self.members, minlength=len(self.names))

    def styles(self) -> list[Style]:
        """The color in the present scheme, and the shape, of each group."""
        if self.tokens:
            return [
                (theme().color(token).rgb() & 0xFFFFFF, shape)
                for token, shape in zip(self.tokens, self.shapes, strict=True)
            ]
        is_dark, count = theme().scheme == "dark", len(CLASS_COLORS)
        return [
            (
                int(CLASS_COLORS[number % count][is_dark][1:], 16),
                SHAPES[number // count % len(SHAPES)],
            )
            for number in range(len(self.names))
        ]


def by_class(reading: EmbeddingReading) -> Groups:
    """By actual class."""
    return Groups("class", reading.classes, reading.truth.astype(np.intp))


def by_error(reading: EmbeddingReading) -> Groups:
    """Predicted correctly or not."""
    return Groups(
        "error",
        ("correct", "misclassified"),
        reading.is_wrong.astype(np.intp),
        ("group", "validation"),
        ("circle", "square"),
    )


def by_confidence(reading: EmbeddingReading) -> Groups:
    """By the probability of the predicted class."""
    return Groups(
        "confidence",
        ("below 50%", "50 to 80%", "80 to 95%", "95 to 100%"),
        np.searchsorted(_BANDS, reading.confidence, side="right").astype(np.intp),
        ("validation", "activation", "training", "group"),
        ("triangle", "square", "diamond", "circle"),
    )


GROUPINGS: Mapping[str, tuple[str, Callable[[EmbeddingReading], Groups]]] = {
    "class": ("actual class", by_class),
    "error": ("correct or not", by_error),
    "confidence": ("confidence", by_confidence),
}
"""Key -> (what it is called, how the points are grouped)."""
