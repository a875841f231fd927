"""One step of learning: the loss, the way back, the optimizer; the same for a training and a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnstudio.training.distributed.ranks import ALONE, Ranks
from cnnstudio.training.model import Model
from cnnstudio.training.optimization.l2_penalty import add_gradients, penalties
from cnnstudio.training.optimization.optimizer_state import memory_of, restore_memory
from cnnstudio.training.optimization.optimizers import make_optimizer
from cnnstudio.training.optimization.weight_averaging import WeightAverage, make_average
from cnnstudio.training.recipe.recipe import Recipe


class Learner:
    """A model with the recipe's optimizer. Its learning rate is the caller's (`set_learning_rate`).

    A recipe with `accumulate` has each batch computed in so many parts of the same size, give or take one
    image, whose gradients are added up. The step is that of the whole batch, in the memory of a part; only
    BatchNormalization sees no more than a part at a time. Several ranks compute a share of each batch each.
    """

    def __init__(self, model: Model, recipe: Recipe, ranks: Ranks = ALONE) -> None:
        self.model = model
        self.forward: Callable[[Tensor], Tensor] = model
        """How the model is run; by another way to the same result where that is quicker (`acceleration`)."""
        self._ranks = ranks
        self.average: WeightAverage | None = None
        self._adopt(recipe)
        self._penalties = penalties(model)

    def _adopt(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.optimizer = make_optimizer(recipe, self.model)
        self._smoothing = recipe.label_smoothing
        self._part = part_size(recipe.batch_size, recipe.accumulate)
        # For the model alone: the weights' steps are made in float32.
        self._precision = torch.autocast(
            self.model.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"
        )

    def begin_average(self, steps: int) -> None:
        """Takes the average that the recipe asks for from here on, in a run of so many steps."""
        self.average = make_average(self.recipe, self.model, steps)

    def adopt(self, recipe: Recipe, steps: int) -> None:
        """Goes on by another recipe, with all that is remembered of the weights."""
        memory = {name: value.clone() for name, value in self.memory().items()}
        self._adopt(recipe)
        self.begin_average(steps)
        self.restore(memory)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that count: the average's, where there is one."""
        return self.average.in_model() if self.average else nullcontext()

    def weights(self) -> dict[str, Tensor]:
        """The weights that count, by their names in the model."""
        return self.average.weights() if self.average else dict(self.model.state_dict())

    def memory(self) -> dict[str, Tensor]:
        """What it takes to go on beside the model's own weights; `restore` takes it."""
        average = self.average.tensors() if self.average else {}
        return {**memory_of(self.optimizer, self.model), **average}

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Goes back to what `memory` gave; what is not there starts afresh."""
        restore_memory(self.optimizer, self.model, memory)
        if self.average:
            self.average.restore(memory)

    def backward(self, images: Tensor, labels: Tensor, count: int | None = None) -> tuple[Tensor, Tensor]:
        """Adds the gradients of a batch; gives its mean loss, and how many of its images were right.

        What is given is comparable with the validation, whose targets are never smoothed. Where the batch of
        `count` images is shared with other ranks, the gradients and what is given are those of all of it.
        """
        count = count or len(labels)
        cuts = self._cuts(count)
        pieces = zip(images.tensor_split(cuts), labels.tensor_split(cuts), strict=True)
        scores = [self._backward(part, targets, len(targets) / count) for part, targets in pieces]
        losses, rights = zip(*scores, strict=True)
        loss, right = (torch.stack(each).sum() if cuts else each[0] for each in (losses, rights))
        return self._ranks.add_up(self.model, (loss, right))

    def _cuts(self, count: int) -> list[int]:
        """Where this rank's share of a batch of `count` is cut into parts.

        A share is every so many-th image, so that the ranks' parts together are those of one process.
        """
        parts = part_count(count, self._part)
        size, larger = divmod(count, parts)
        number, ranks = self._ranks.share
        ends = (size * part + min(part, larger) for part in range(1, parts))
        return [-(-(end - number) // ranks) for end in ends]

    def _backward(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        with self._precision:
            logits = self.forward(images)
        if not len(labels):
            # Nothing to learn from, but the way back of normalizations that are shared is gone by all ranks.
            logits.sum().backward()
            nothing = torch.zeros((), device=logits.device)
            return nothing, nothing.long()
        # The loss is about small differences, for which half the digits are too few.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = F.cross_entropy(logits, labels, label_smoothing=self._smoothing)
        with torch.no_grad():
            plain = F.cross_entropy(logits, labels) if self._smoothing else loss.detach()
            right = (logits.argmax(1) == _most(labels)).sum()
        if share == 1.0:
            loss.backward()
            return plain, right
        (loss * share).backward()
        return plain * share, right

    def update(self) -> None:
        """Makes the step, and forgets the gradients."""
        if self._penalties:
            add_gradients(self._penalties)
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update()


def _most(labels: Tensor) -> Tensor:
    """The class of each image, (n,); of mixed images, (n, classes), the one with the largest share."""
    return labels.argmax(1) if labels.ndim > 1 else labels


def part_size(batch_size: int, accumulate: int) -> int:
    """Images at a time where a batch is computed in `accumulate` parts."""
    return -(-batch_size // accumulate)


def part_count(count: int, part: int) -> int:
    """Parts of about `part` images in a batch of `count`.

    None has a single image, unless that is what was asked for: BatchNormalization cannot learn from one.
    """
    parts = -(-count // part)
    return parts if part == 1 else max(min(parts, count // 2), 1)
