"""Feature maps as values, ready to be drawn or stored. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.uint8]

MAX_PIXELS = 2**26
"""The most values that the maps of one layer and image may have, far more than any network needs."""

_LARGEST = 3.5e38
"""Above the largest float32."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of one layer for one image, on a scale that all maps share: 0 is `low`, 255 is `high`.

    If a few outliers would make everything else dark, `high` is below them, and 255 stands for them too.
    `maps` is uint8 (K, h, w), read-only; for a layer with a flat output it has K values of 1 × 1. Raises
    ValueError for anything else: maps are drawn from their memory, so a wrong array could end the process.
    """

    node_id: str
    image: int
    """The index of the example image, from 0."""
    maps: Maps
    low: float
    high: float
    dead: tuple[int, ...]
    """Indices of maps that are zero everywhere, for all example images."""
    total: int
    """The number of maps of the layer; more than K if not all are included."""
    values: npt.NDArray[np.float32] | None = None
    """The exact K values of a flat output, float32, where known: 256 levels may show another order."""

    def __post_init__(self) -> None:
        maps = self.maps
        if maps.dtype != np.uint8 or maps.ndim != 3:
            raise ValueError("feature maps have to be a uint8 array of three dimensions")
        if not 0 < maps.size <= MAX_PIXELS:
            raise ValueError(f"feature maps have to have 1 to {MAX_PIXELS:,} values")
        # A NaN fails both comparisons.
        if not (abs(self.low) < _LARGEST and abs(self.high) < _LARGEST):
            raise ValueError("the scale of feature maps has to be finite")
        if not all(0 <= index < len(maps) for index in self.dead) or self.total < len(maps):
            raise ValueError("feature maps have to include their dead ones and count at least themselves")
        values = self.values
        if values is not None and (values.shape != (len(maps),) or not np.isfinite(values).all()):
            raise ValueError("the exact values have to be finite, one for each map")
