"""Feature maps as values, ready to be drawn or stored. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_value, pluralize
from cnnstudio.insight.drawing import mosaic
from cnnstudio.insight.reading import Canvas, Reading, array, indices, integer, real, text

Maps = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FeatureMaps(Reading):
    """The output of one layer for one image, on a scale that all maps share: 0 is `low`, 255 is `high`.

    If a few outliers would make everything else dark, `high` is below them, and 255 stands for them too.
    `maps` is uint8 (K, h, w); for a layer with a flat output it has K values of 1 × 1.
    """

    title: ClassVar[str] = "feature maps"

    node_id: str = text()
    image: int = integer()
    """The index of the example image, from 0."""
    maps: Maps = array("uint8", "maps", "height", "width", is_pixels=True)
    low: float = real()
    high: float = real()
    dead: tuple[int, ...] = indices("maps")
    """Indices of maps that are zero everywhere, for all example images."""
    total: int = integer()
    """The number of maps of the layer; more than K if not all are included."""
    values: npt.NDArray[np.float32] | None = array("float32", "maps", optional=True)
    """The exact K values of a flat output, float32, where known: 256 levels may show another order."""

    def validate(self) -> None:
        if not self.maps.size:
            raise self._unsound("has no values")
        if self.total < len(self.maps):
            raise self._unsound("has more maps than the layer")

    def draw(self) -> Canvas:
        """All maps side by side."""
        return mosaic(self.maps)

    def summary(self) -> str:
        height, width = self.maps.shape[1:]
        shown = f"{pluralize(self.total, 'map')} of {height} × {width} pixels"
        if (height, width) == (1, 1):
            shown = pluralize(self.total, "value")
        dead = f"; {pluralize(len(self.dead), 'unit')} dead" if self.dead else ""
        return f"{self.node_id}: {shown}, from {format_value(self.low)} to {format_value(self.high)}{dead}."
