"""A model's predictions: evaluated on images with known classes, and for single images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.training.evaluation import evaluation_mode, predict_logits
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import evaluation_batch_size


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation. `confusion[i, j]` counts images of class i predicted as class j."""

    loss: float
    accuracy: float
    confusion: npt.NDArray[np.int64]

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """The accuracy of each class, 0 to 1; None for a class without images."""
        counts = self.confusion.sum(axis=1)
        return tuple(
            int(correct) / int(count) if count else None
            for correct, count in zip(self.confusion.diagonal(), counts, strict=True)
        )


def evaluate(
    model: Model,
    split: Split,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    *,
    flip: bool = False,
) -> Evaluation:
    """Mean cross-entropy, accuracy and confusion matrix on a split with images of the model's input shape.

    With `flip`, predictions are averaged over each image and its mirror image. Raises Cancelled.
    """
    size = evaluation_batch_size(analyze(model.network), model.device)
    loss, confusion = 0.0, np.zeros((0, 0), np.int64)
    with evaluation_mode(model):
        for start in range(0, len(split), size):
            raise_if_cancelled(cancelled)
            labels = split.labels[start : start + size]
            images = model.normalize(split.images[start : start + size])
            logits = predict_logits(model, images, flip).float().cpu()
            loss += F.cross_entropy(logits, torch.tensor(labels), reduction="sum").item()
            if not len(confusion):
                confusion = np.zeros((logits.shape[1], logits.shape[1]), np.int64)
            np.add.at(confusion, (labels, logits.argmax(1).numpy()), 1)
            done = min(start + size, len(split))
            progress(Progress(done, len(split), f"Evaluating: {done:,} of {len(split):,} images"))
    return Evaluation(loss / len(split), int(confusion.trace()) / len(split), confusion)


def predict(model: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Class probabilities, float32 (N, classes), for uint8 (N, C, H, W) of the model's input shape."""
    size = evaluation_batch_size(analyze(model.network), model.device)
    with evaluation_mode(model):
        parts = [
            model(model.normalize(images[start : start + size])).float().softmax(1).cpu().numpy()
            for start in range(0, len(images), size)
        ]
    return np.concatenate(parts)
