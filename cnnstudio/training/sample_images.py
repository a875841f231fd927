"""The few test images that views of a model show. Needs no torch."""

from __future__ import annotations

import numpy as np

from cnnstudio.data.dataset import Split

SAMPLE_COUNT = 32
DISPLAYED_COUNT = 5
"""The first ones are shown and saved in snapshots. The others only help to tell which maps are dead."""


def choose_sample_images(split: Split, count: int = SAMPLE_COUNT) -> Split:
    """The first image of each class, then the second of each, and so on, up to `count`."""
    order = np.argsort(split.labels, kind="stable")
    labels = split.labels[order]
    # For each image, how many of the same class come before it.
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)
    return split.select(order[np.lexsort((labels, rank))][:count])
