"""Feature maps as values, ready to be drawn or stored. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of one layer for one image, on a scale that all maps share: 0 is `low`, 255 is `high`.

    If a few outliers would make everything else dark, `high` is below them, and 255 stands for them too.
    `maps` is uint8 (K, h, w), read-only; for a layer with a flat output it has K values of 1 × 1.
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
