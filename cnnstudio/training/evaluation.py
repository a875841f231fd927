"""How well a model does on images that it does not learn from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnstudio.core.progress import CancelFunction, never
from cnnstudio.training.distributed.ranks import ALONE, Ranks
from cnnstudio.training.events import Scores


def past(deadline: float) -> CancelFunction:
    """Tells whether `time.monotonic()` has passed the deadline."""
    return lambda: time.monotonic() > deadline


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off, BatchNormalization by its running means, no gradients; afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def answers(model: nn.Module, images: Tensor, flip: bool = False) -> Tensor:
    """The logits (N, classes); with `flip` the mean of those for the images and for their mirror images."""
    logits: Tensor = model(images)
    return (logits + model(images.flip(3))) / 2 if flip else logits


def mean_scores(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    cancelled: CancelFunction = never,
    flip: bool = False,
    ranks: Ranks = ALONE,
) -> Scores | None:
    """Mean cross-entropy and accuracy over all total; None where it was cancelled before the end.

    With `flip` each image is judged together with its mirror image. Of several ranks each gives its share
    of the total, and all get the same scores.
    """
    losses: list[Tensor] = []
    rights: list[Tensor] = []
    count, was_cancelled = 0, False
    with evaluating(model):
        for images, labels in batches:
            was_cancelled = cancelled()
            if was_cancelled:
                break
            logits = answers(model, images, flip)
            losses.append(F.cross_entropy(logits, labels, reduction="sum"))
            rights.append((logits.argmax(1) == labels).sum())
            count += len(labels)
    # Read once at the end: each reading makes an accelerator wait.
    loss, right = (sum(torch.stack(each).tolist()) if each else 0.0 for each in (losses, rights))
    loss, right, total, cancellations = ranks.summed([loss, right, count, was_cancelled])
    return None if cancellations else Scores(loss / total, right / total)
