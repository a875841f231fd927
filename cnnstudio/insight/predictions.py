"""How a model answers: on a set of images with known classes, and on single images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, check, ignore, never
from cnnstudio.data.dataset import Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.training.evaluation import answers, evaluating
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import evaluation_batch


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a model did. `confusion[i, j]` counts the images of class i that it took for class j."""

    loss: float
    accuracy: float
    confusion: npt.NDArray[np.int64]

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """The share of each class's images that it got right; None for a class without images."""
        counts = self.confusion.sum(axis=1)
        return tuple(
            int(right) / int(count) if count else None
            for right, count in zip(self.confusion.diagonal(), counts, strict=True)
        )


def evaluate(
    model: Model,
    split: Split,
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
    *,
    flip: bool = False,
) -> Evaluation:
    """Mean cross-entropy, accuracy and confusions over images of the size that the model takes.

    With `flip` each image is judged together with its mirror image. Raises Cancelled.
    """
    size = evaluation_batch(analyze(model.network), model.device)
    loss, confusion = 0.0, np.zeros((0, 0), np.int64)
    with evaluating(model):
        for start in range(0, len(split), size):
            check(cancelled)
            labels = split.labels[start : start + size]
            images = model.normalize(split.images[start : start + size])
            logits = answers(model, images, flip).float().cpu()
            loss += F.cross_entropy(logits, torch.tensor(labels), reduction="sum").item()
            if not len(confusion):
                confusion = np.zeros((logits.shape[1], logits.shape[1]), np.int64)
            np.add.at(confusion, (labels, logits.argmax(1).numpy()), 1)
            done = min(start + size, len(split))
            progress(Progress(done, len(split), f"Evaluating: {done:,} of {len(split):,} images"))
    return Evaluation(loss / len(split), int(confusion.trace()) / len(split), confusion)


def predict(model: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The probability of each class, (N, classes), for uint8 (N, C, H, W) of the model's own size."""
    size = evaluation_batch(analyze(model.network), model.device)
    with evaluating(model):
        parts = [
            model(model.normalize(images[start : start + size])).float().softmax(1).cpu().numpy()
            for start in range(0, len(images), size)
        ]
    return np.concatenate(parts)
