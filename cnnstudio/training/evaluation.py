"""Evaluation of a model on images that it does not train on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks
from cnnstudio.training.events import Scores


def after_deadline(deadline: float) -> CancelFunction:
    """A cancel function that is true once `time.monotonic()` has passed the deadline."""
    return lambda: time.monotonic() > deadline


@contextmanager
def evaluation_mode(model: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Inside, the model is in evaluation mode, by default without gradients; then all of it is as before."""
    in_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.enable_grad() if gradients else torch.inference_mode():
            yield
    finally:
        for module in in_training:
            module.training = True


def predict_logits(model: nn.Module, images: Tensor, flip: bool = False) -> Tensor:
    """The logits, float (N, classes), of normalized images, float32 (N, C, H, W).

    With `flip`, the mean of the logits of each image and its mirror image.
    """
    logits: Tensor = model(images)
    return (logits + model(images.flip(3))) / 2 if flip else logits


def mean_scores(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    cancelled: CancelFunction = never_cancelled,
    flip: bool = False,
    ranks: Ranks = SINGLE_PROCESS,
    on_logits: Callable[[Tensor], object] = lambda logits: None,
) -> Scores | None:
    """Mean cross-entropy and accuracy; None if cancelled before the end.

    `batches` gives normalized images, float32 (n, C, H, W), and labels, int64 (n,). With `flip`, predictions
    are averaged over each image and its mirror image. With several ranks, each evaluates its shard and all
    get the same scores, also if only one of them was cancelled: every rank calls this at the same step, and
    the sums are a collective. `on_logits` gets the logits of each batch, float (n, classes).
    """
    losses: list[Tensor] = []
    corrects: list[Tensor] = []
    count, was_cancelled = 0, False
    with evaluation_mode(model):
        for images, labels in batches:
            was_cancelled = cancelled()
            if was_cancelled:
                break
            logits = predict_logits(model, images, flip)
            on_logits(logits)
            losses.append(F.cross_entropy(logits, labels, reduction="sum"))
            corrects.append((logits.argmax(1) == labels).sum())
            count += len(labels)
    # Read once at the end, because each read makes the host wait for an accelerator.
    loss, correct = (sum(torch.stack(each).tolist()) if each else 0.0 for each in (losses, corrects))
    loss, correct, total, cancellations = ranks.all_reduce_sum([loss, correct, count, was_cancelled])
    return None if cancellations else Scores(loss / total, correct / total)
