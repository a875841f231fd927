"""The training images that others are compared with, as values. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnstudio.data.dataset import Labels

Features = npt.NDArray[np.float32]
NEIGHBORS = 5
NO_LIMIT = 2.0
"""The largest distance that there is."""
MAX_REFERENCES = 50_000
MAX_MACS = 10**12
"""Of describing the training images, a minute or two on two cores: of large networks, fewer are looked at."""
MIN_REFERENCES = 5_000
MAX_FEATURES = 1_024
"""Of an image; more are averaged."""


@dataclass(frozen=True, eq=False)
class References:
    """Training images that others are compared with."""

    features: Features
    """float32 (M, values), each row of length 1; may be mapped from a file."""
    places: npt.NDArray[np.int64]
    """int64 (M,), their numbers among the images that the model was trained on."""
    rows: npt.NDArray[np.int64]
    """int64 (M,), their numbers among the training images of the data set, some of which may validate."""
    labels: Labels
    """int64 (M,)."""
    limit: float
    """The distance up to which an image is usual; NO_LIMIT if there are too few to tell."""
    total: int
    """Of how many training images these were taken."""

    @property
    def neighbors(self) -> int:
        """How many of them are compared with an image."""
        return neighbor_count(len(self.rows))


def neighbor_count(references: int) -> int:
    """NEIGHBORS, or as many as there are others."""
    return max(min(NEIGHBORS, references - 1), 1)


def reference_count(images: int, macs: int) -> int:
    """How many of so many training images are described; `macs` are those of one."""
    return min(images, MAX_REFERENCES, max(MAX_MACS // max(macs, 1), MIN_REFERENCES))
