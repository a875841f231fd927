"""Feature maps as values, ready to be drawn or kept. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one layer makes of one image. One scale holds for all maps: 0 stands for `low`, 255 for `high`.

    Where a few outliers would leave all else dark, `high` is below them, and 255 stands for them too.
    `maps` is uint8 (K, h, w), read-only; a layer that gives a flat vector has K values of 1 × 1.
    """

    node_id: str
    image: int
    """The number of the example image, from 0."""
    maps: Maps
    low: float
    high: float
    dead: tuple[int, ...]
    """Maps that are zero everywhere, whatever image is shown."""
    total: int
    """Maps that the layer has; more than K where not all are here."""
