"""Suspected label errors: images for which a trained network is sure of another class than their label.

A class is only suggested where the network is at least as sure of it as it usually is for images of that
class (the rule of confident learning, Northcutt et al. 2021), so that classes that it takes too often do not
collect doubts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Labels, Split
from cnnstudio.insight.predictions import predict
from cnnstudio.training.model import Model

Probabilities = npt.NDArray[np.float32]

_CHUNK = 512


@dataclass(frozen=True)
class Doubt:
    """An image whose label may be wrong."""

    row: int
    label: int
    suggested: int
    score: float
    """How much surer the network is of the suggested class than of the label, 0 to 1."""


def predict_split(
    model: Model, split: Split, flip: bool, text: str, progress: ProgressFunction, cancelled: CancelFunction
) -> Probabilities:
    """Class probabilities, float32 (N, classes), of images of the model's input shape. Raises Cancelled."""
    parts = [np.zeros((0, 0), np.float32)] if not len(split) else []
    for start in range(0, len(split), _CHUNK):
        raise_if_cancelled(cancelled)
        parts.append(predict(model, split.images[start : start + _CHUNK], flip=flip))
        done = min(start + _CHUNK, len(split))
        progress(Progress(done, len(split), f"{text}: {done:,} of {len(split):,} images"))
    return np.concatenate(parts)


def find_doubts(probabilities: Probabilities, labels: Labels) -> list[Doubt]:
    """The doubtful labels, the most doubtful first. `probabilities` are float32 (N, classes)."""
    if not len(labels):
        return []
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    usual = np.bincount(labels, weights=own, minlength=classes) / np.maximum(counts, 1)
    is_sure = (probabilities >= usual) & (counts > 0)
    suggested = np.where(is_sure, probabilities, -1).argmax(axis=1)
    score = probabilities[rows, suggested] - own
    doubtful = np.flatnonzero(is_sure[rows, suggested] & (suggested != labels) & (score > 0))
    order = doubtful[np.argsort(-score[doubtful], kind="stable")]
    return [Doubt(int(row), int(labels[row]), int(suggested[row]), float(score[row])) for row in order]
