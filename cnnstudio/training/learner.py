"""One step of learning: the loss, the way back, the optimizer; the same for a training and a trial."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.training.model import Model
from cnnstudio.training.optimizers import make_optimizer
from cnnstudio.training.penalty import add_gradients, penalties
from cnnstudio.training.recipe import Recipe


class Learner:
    """A model with the recipe's optimizer. Its learning rate is the caller's (`set_learning_rate`).

    A recipe with `accumulate` has each batch computed in so many parts of the same size, give or take one
    picture, whose gradients are added up. The step is that of the whole batch, in the memory of a part; only
    BatchNormalization sees no more than a part at a time.
    """

    def __init__(self, model: Model, recipe: Recipe) -> None:
        self.model = model
        self.optimizer = make_optimizer(recipe, model)
        self._smoothing = recipe.label_smoothing
        self._part = part_size(recipe.batch_size, recipe.accumulate)
        self._penalties = penalties(model)

    def backward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Adds the gradients of a batch; gives its mean loss, and how many of its pictures were right.

        What is given is comparable with the validation, whose targets are never smoothed.
        """
        parts = part_count(len(labels), self._part)
        if parts == 1:
            return self._backward(images, labels, 1.0)
        pieces = zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True)
        scores = [self._backward(part, targets, len(targets) / len(labels)) for part, targets in pieces]
        losses, rights = zip(*scores, strict=True)
        return torch.stack(losses).sum(), torch.stack(rights).sum()

    def _backward(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        logits = self.model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self._smoothing)
        with torch.no_grad():
            plain = F.cross_entropy(logits, labels) if self._smoothing else loss.detach()
            right = (logits.argmax(1) == labels).sum()
        if share == 1.0:
            loss.backward()
            return plain, right
        (loss * share).backward()
        return plain * share, right

    def update(self) -> None:
        """Makes the step, and forgets the gradients."""
        if self._penalties:
            add_gradients(self._penalties)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def part_size(batch_size: int, accumulate: int) -> int:
    """Pictures at a time where a batch is computed in `accumulate` parts."""
    return -(-batch_size // accumulate)


def part_count(count: int, part: int) -> int:
    """Parts of about `part` pictures in a batch of `count`.

    None has a single picture, unless that is what was asked for: BatchNormalization cannot learn from one.
    """
    parts = -(-count // part)
    return parts if part == 1 else max(min(parts, count // 2), 1)
