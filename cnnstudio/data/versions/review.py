"""What somebody reviews one by one: an image, why it is shown, and what its label may have to be.

Checks, suspected label errors, cells of the confusion matrix and misclassified images all become items. The
answers are corrections (`relabeling`); an item itself changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

REVIEW_NEIGHBORS = 3
"""Similar images that an item shows."""


@dataclass(frozen=True)
class Neighbor:
    """An image that the network finds similar."""

    file: str
    """Its name in the data set; an image without a file is `train/12`, its split and its number from 0."""
    label: str
    similarity: float
    """-1 to 1; 1 is the same to the network."""
    split: str = "train"
    row: int = 0
    """The number of the image in its split, from 0."""


@dataclass(frozen=True)
class ReviewItem:
    """An image to review. Names are those of the data set with the corrections so far."""

    file: str
    """Its name in the data set, as corrections name it; as of `Neighbor` if it has no file."""
    label: str
    """The class that it has now."""
    suggested: str | None = None
    """The class that it may belong to."""
    score: float | None = None
    """How doubtful the label is, 0 to 1; None where there is no such figure."""
    reason: str = ""
    """Why it is shown, as one sentence: Labeled cat, looks like dog."""
    neighbors: tuple[Neighbor, ...] = ()
    """Most similar first."""
    split: str = "train"
    row: int = 0
    """The number of the image in its split, from 0."""
