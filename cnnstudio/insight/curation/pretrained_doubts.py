"""Suspected label errors before any training: labels that a pretrained network's features contradict.

A linear probe on the features predicts each image from the other folds. The score of a label is 1 minus its
predicted probability (self-confidence, Northcutt et al. 2021, Confident Learning). Of 3,000 photos of which
5% were labeled wrongly, the ranking has an average precision of 0.75 to 0.79; the support by a network that
was trained on the same labels (`label_doubts`) reaches 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset, Labels
from cnnstudio.data.versions.review import REVIEW_NEIGHBORS, Neighbor, ReviewItem
from cnnstudio.insight.curation.features import find_neighbors, normalize_features
from cnnstudio.insight.curation.label_doubts import MAX_DOUBTS, describe_doubt, neighbor_count
from cnnstudio.insight.curation.linear_probe import FOLDS, Array, cross_validate
from cnnstudio.training.frozen.pretrained_features import pretrained_features
from cnnstudio.training.frozen.store import Features

MAX_IMAGES_UNASKED = 5_000
"""In larger sets they are looked for only when somebody asks: the features take minutes."""
MIN_SCORE = 0.9
"""Of a listed image. Where 5% of 3,000 labels are wrong, nearly nine in ten of these reach it, and about two
of five listed ones are wrong; the others are unusual images."""
EXCLUDED = -1
"""In place of a label: the image is left out."""


def doubtful_rows(probabilities: Array, labels: Labels) -> list[int]:
    """The rows whose label is doubtful, most doubtful first.

    `probabilities` are float32 (N, classes), of images that were not seen. Of a class with fewer images than
    folds none is doubted: whatever is predicted says too little about it.
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    is_doubtful = (probabilities.argmax(axis=1) != labels) & (own <= 1 - MIN_SCORE)
    found = np.flatnonzero(is_doubtful & (counts[labels] >= FOLDS))
    return [int(row) for row in found[np.argsort(own[found], kind="stable")]]


def find_label_errors(
    dataset: Dataset,
    files: Mapping[str, Sequence[str]],
    labels: Mapping[str, Labels] | None = None,
    device: str = "auto",
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> list[ReviewItem]:
    """The images of all splits whose labels are doubtful, most doubtful first, each with similar ones.

    `files` are the names of the images by split; `labels` replace those of the data set, EXCLUDED for images
    that are left out. Raises PretrainedError if the weights are not installed, the errors of `prepare`, and
    Cancelled.
    """
    features = pretrained_features(dataset, device, progress=progress, cancelled=cancelled)
    if labels is None:
        labels = {part: split.labels for part, split in dataset.splits.items()}
    return doubts_by_features(
        features, labels, dataset.classes, files, progress=progress, cancelled=cancelled
    )


def doubts_by_features(
    features: Mapping[str, Array | Features],
    labels: Mapping[str, Labels],
    classes: Sequence[str],
    files: Mapping[str, Sequence[str]],
    seed: int = 0,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> list[ReviewItem]:
    """The images of all splits whose labels are doubtful, most doubtful first, each with similar ones.

    All are by split: `features` float32 (N, D), `labels` int64 (N,), EXCLUDED for images that are left out,
    and `files` the images' names. Raises Cancelled.
    """
    kept = {part: np.flatnonzero(labels[part] != EXCLUDED) for part in features}
    every = np.concatenate([features[part][rows] for part, rows in kept.items()])
    known = np.concatenate([labels[part][rows] for part, rows in kept.items()])
    places = [(part, int(row)) for part, rows in kept.items() for row in rows]
    if len(np.unique(known)) < 2 or len(known) <= FOLDS:
        return []
    result = cross_validate(every, known, len(classes), seed, progress=progress, cancelled=cancelled)
    doubtful = doubtful_rows(result.probabilities, known)[:MAX_DOUBTS]
    if not doubtful:
        return []
    comparable = normalize_features(torch.from_numpy(every)).numpy()
    neighbors = find_neighbors(
        *(comparable[doubtful], comparable, known, len(classes), neighbor_count(known, len(classes))),
        are_references=True,
        numbers=np.array(doubtful),
        text="Looking for similar images",
        progress=progress,
        cancelled=cancelled,
    )

    def similar(index: int) -> tuple[Neighbor, ...]:
        pairs = zip(neighbors.rows[index].tolist(), neighbors.similarities[index].tolist(), strict=True)
        return tuple(
            Neighbor(files[places[other][0]][places[other][1]], classes[known[other]], near, *places[other])
            for other, near in list(pairs)[:REVIEW_NEIGHBORS]
        )

    found = []
    for index, row in enumerate(doubtful):
        part, number = places[row]
        label, suggested = int(known[row]), int(result.probabilities[row].argmax())
        reason = describe_doubt(label, suggested, classes, known[neighbors.rows[index]], "images")
        score = 1 - float(result.probabilities[row, label])
        names = files[part][number], classes[label], classes[suggested]
        found.append(ReviewItem(*names, score, reason, similar(index), part, number))
    return found
