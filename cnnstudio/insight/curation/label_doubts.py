"""Suspected label errors: images whose label neither a trained network nor the images like it support.

The network may have memorized a wrong label, but rarely does the image then lie among those of that
class in its last features; and where the network has not learned enough, its own probability still tells
which label is out of place. The support of a label is therefore the geometric mean of both. Images that it
has not trained on get less support for right labels too: they count as much as the training images of the
same rank, as if errors were as frequent among them.

Ranked by support, planted errors (5% of 3,000 photos, the lesson's network) are found with an average
precision of 0.47 to 0.51; by confident disagreement alone (Northcutt et al. 2021, Confident Learning) with
0.13 to 0.27.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import SPLIT_WORDS, Dataset, Labels
from cnnstudio.data.versions.review import REVIEW_NEIGHBORS, Neighbor, ReviewItem
from cnnstudio.insight.curation.features import (
    Described,
    Neighbors,
    Probabilities,
    describe_images,
    find_neighbors,
)
from cnnstudio.training.model import Model

MIN_SCORE = 0.9
"""Of a listed image. Where 5% of all labels are wrong, a third to a half of those that reach it are."""
MAX_DOUBTS = 2_000
"""The most doubtful ones; nobody reviews more at a time."""
_MAX_NEIGHBORS, _MIN_NEIGHBORS = 50, 5
_CLASS_SHARE = 4
"""The neighbors are at most the part 1 / 4 of a class, so that small classes can be seen among them."""
_MAX_NAME = 40


@dataclass(frozen=True)
class Doubt:
    """An image whose label may be wrong."""

    row: int
    label: int
    suggested: int
    score: float
    """1 minus the support of the label, 0 to 1."""


Scores = npt.NDArray[np.float64]
"""1 minus the support of each label, float64 (N,), 0 to 1."""


def doubt_scores(probabilities: Probabilities, votes: Probabilities, labels: Labels) -> Scores:
    """`probabilities` are the network's, float32 (N, classes), `votes` those of similar images."""
    rows = np.arange(len(labels))
    scores: Scores = 1 - np.sqrt(probabilities.astype(np.float64) * votes)[rows, labels]
    return scores


def find_doubts(
    probabilities: Probabilities, votes: Probabilities, labels: Labels, trained: Scores | None = None
) -> list[Doubt]:
    """The doubtful labels, the most doubtful first.

    `trained` are the scores of the training images, for images that the network has not trained on.
    """
    if not len(labels):
        return []
    rows = np.arange(len(labels))
    score = doubt_scores(probabilities, votes, labels)
    if trained is not None and len(trained):
        rank = np.empty(len(labels))
        rank[np.argsort(score, kind="stable")] = (rows + 0.5) / len(labels)
        score = np.quantile(trained, rank)
    # What is suggested needs only one of the two: similar images may all have been labeled otherwise.
    either = probabilities + votes
    suggested = either.argmax(axis=1)
    doubtful = np.flatnonzero((suggested != labels) & (score >= MIN_SCORE))
    # Equal scores, as of images without a similar one of their class, are told apart by the network alone.
    order = doubtful[np.lexsort((probabilities[rows, labels][doubtful], -score[doubtful]))]
    return [Doubt(int(row), int(labels[row]), int(suggested[row]), float(score[row])) for row in order]


def suspected_label_errors(
    model: Model,
    dataset: Dataset,
    files: Mapping[str, Sequence[str]],
    flip: bool = False,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> list[ReviewItem]:
    """The images of all splits whose labels are doubtful, most doubtful first, each with similar ones.

    The images have the model's input shape; `files` are their names by split. `flip` is the recipe's
    `test_time_flip`. Raises Cancelled.
    """
    described = {
        part: describe_images(
            model, split, flip, f"Looking at {SPLIT_WORDS[part]} images", progress, cancelled
        )
        for part, split in dataset.splits.items()
        if len(split)
    }
    train, labels = described["train"], dataset.train.labels
    count = neighbor_count(labels, len(dataset.classes))
    found: list[ReviewItem] = []
    trained: Scores | None = None
    # The training images come first, as in all data sets.
    for part, each in described.items():
        neighbors = find_neighbors(
            each.features,
            train.features,
            labels,
            len(dataset.classes),
            count,
            are_references=part == "train",
            text=f"Comparing {SPLIT_WORDS[part]} images with training images",
            progress=progress,
            cancelled=cancelled,
        )
        found += _items(dataset, files, part, each, neighbors, trained)
        if part == "train":
            trained = doubt_scores(each.probabilities, neighbors.votes, labels)
    return sorted(found, key=lambda item: -(item.score or 0.0))[:MAX_DOUBTS]


def neighbor_count(labels: Labels, classes: int) -> int:
    """How many similar images to look at for each, so that small classes can be seen among them."""
    usual = len(labels) // max(classes, 1) // _CLASS_SHARE
    return min(max(usual, _MIN_NEIGHBORS), _MAX_NEIGHBORS, max(len(labels) - 1, 1))


def _items(
    dataset: Dataset,
    files: Mapping[str, Sequence[str]],
    part: str,
    described: Described,
    neighbors: Neighbors,
    trained: Scores | None,
) -> list[ReviewItem]:
    classes, train = dataset.classes, dataset.train.labels

    def similar(row: int) -> tuple[Neighbor, ...]:
        pairs = zip(neighbors.rows[row].tolist(), neighbors.similarities[row].tolist(), strict=True)
        return tuple(
            Neighbor(files["train"][other], classes[train[other]], similarity, "train", other)
            for other, similarity in list(pairs)[:REVIEW_NEIGHBORS]
        )

    labels = dataset.splits[part].labels
    doubts = find_doubts(described.probabilities, neighbors.votes, labels, trained)
    return [
        ReviewItem(
            files[part][doubt.row],
            classes[doubt.label],
            classes[doubt.suggested],
            doubt.score,
            describe_doubt(doubt.label, doubt.suggested, classes, train[neighbors.rows[doubt.row]]),
            similar(doubt.row),
            part,
            doubt.row,
        )
        for doubt in doubts[:MAX_DOUBTS]
    ]


def describe_doubt(
    label: int, suggested: int, classes: Sequence[str], similar: Labels, of: str = "training images"
) -> str:
    """`Labeled cat, looks like dog: of the 50 most similar training images, 31 are dog and 2 cat.`

    `similar` are the classes of the most similar images, int64 (n,).
    """
    names = [shorten(classes[index], _MAX_NAME) for index in (label, suggested)]
    same, other = (int((similar == index).sum()) for index in (label, suggested))
    return (
        f"Labeled {names[0]}, looks like {names[1]}: of the {len(similar):,} most similar {of}, "
        f"{other:,} are {names[1]} and {same:,} {names[0]}."
    )
