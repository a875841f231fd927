"""The few images by which people look into a model. Needs no torch."""

from __future__ import annotations

import numpy as np

from cnnstudio.data.dataset import Split

COUNT = 32
SHOWN = 5
"""The first ones, which are shown and kept in snapshots; the others help to tell which maps are dead."""


def examples(split: Split, count: int = COUNT) -> Split:
    """The first images of each class in turn, so that the first few are of different classes."""
    order = np.argsort(split.labels, kind="stable")
    labels = split.labels[order]
    # How many images of the same class come before each one.
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)
    return split.rows(order[np.lexsort((labels, rank))][:count])
