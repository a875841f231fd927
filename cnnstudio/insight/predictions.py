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
from cnnstudio.data.dataset import Split, Subset
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.instrument import labels_of, pixels_of
from cnnstudio.insight.instruments.calibration import CalibrationReading, calibrate
from cnnstudio.insight.instruments.confusion import ConfusionReading, count_confusions
from cnnstudio.training.evaluation import evaluation_mode, predict_logits
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import evaluation_batch_size


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation; `loss` is the mean cross-entropy."""

    loss: float
    confusion: ConfusionReading
    calibration: CalibrationReading

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return self.confusion.accuracy


def evaluate(
    model: Model,
    split: Split | Subset,
    classes: tuple[str, ...],
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    *,
    flip: bool = False,
) -> Evaluation:
    """Loss, confusion matrix and calibration on a split with images of the model's input shape.

    `classes` are the names of the model's classes. With `flip`, predictions are averaged over each image and
    its mirror image. Raises Cancelled.
    """
    size = evaluation_batch_size(analyze(model.network), model.device)
    loss, all_labels = 0.0, labels_of(split)
    confidences, predicted = [], []
    with evaluation_mode(model):
        for start in range(0, len(split), size):
            raise_if_cancelled(cancelled)
            labels = all_labels[start : start + size]
            images = model.normalize(pixels_of(split, slice(start, start + size)))
            logits = predict_logits(model, images, flip).float().cpu()
            loss += F.cross_entropy(logits, torch.tensor(labels), reduction="sum").item()
            predicted.append(logits.argmax(1).numpy())
            confidences.append(logits.softmax(1).amax(1).numpy())
            done = min(start + size, len(split))
            progress(Progress(done, len(split), f"Evaluating: {done:,} of {len(split):,} images"))
    found = np.concatenate(predicted)
    counts = count_confusions(all_labels, found, len(classes))
    calibration = calibrate(np.concatenate(confidences), found == all_labels)
    return Evaluation(loss / len(split), ConfusionReading(classes, counts), calibration)


def predict(model: Model, images: npt.NDArray[np.uint8], *, flip: bool = False) -> npt.NDArray[np.float32]:
    """Class probabilities, float32 (N, classes), for uint8 (N, C, H, W) of the model's input shape.

    With `flip`, they are those of the average over each image and its mirror image.
    """
    size = evaluation_batch_size(analyze(model.network), model.device)
    with evaluation_mode(model):
        parts = [
            predict_logits(model, model.normalize(images[start : start + size]), flip)
            .float()
            .softmax(1)
            .cpu()
            .numpy()
            for start in range(0, len(images), size)
        ]
    return np.concatenate(parts)
