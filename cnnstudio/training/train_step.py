"""One training step: forward pass, loss, backward pass and optimizer; for runs and for preflight trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks
from cnnstudio.training.model import Model
from cnnstudio.training.optimization.l2_penalty import add_l2_gradients, find_l2_penalties
from cnnstudio.training.optimization.optimizer_state import load_optimizer_state, optimizer_state
from cnnstudio.training.optimization.optimizers import make_optimizer
from cnnstudio.training.optimization.weight_averaging import WeightEma, make_ema
from cnnstudio.training.recipe.recipe import Recipe


class TrainingStep:
    """A model with the recipe's optimizer. The caller sets the learning rate (`set_learning_rate`).

    Gradient accumulation: with `accumulate` in the recipe, each batch is computed in that many micro-batches
    of equal size, to within one image, whose gradients are summed. The result is the step of the whole batch
    in the memory of one micro-batch. Only BatchNormalization sees no more than a micro-batch at a time.

    Data parallelism: of several ranks, each computes its shard of every batch. They all make the same calls,
    because each call of `backward` contains collectives (gradients, batch statistics).
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        ranks: Ranks = SINGLE_PROCESS,
        class_weights: Tensor | None = None,
    ) -> None:
        """`class_weights`, float32 (classes,), multiply the loss of each image before the mean is taken.

        As Keras's `class_weight` does.
        """
        self.model = model
        self.class_weights = class_weights
        self.forward: Callable[[Tensor], Tensor] = model
        """Runs the model; a faster function with the same result may take its place (`compilation`)."""
        self._ranks = ranks
        self.ema: WeightEma | None = None
        self._configure(recipe)
        self._l2_penalties = find_l2_penalties(model)

    def _configure(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.optimizer = make_optimizer(recipe, self.model)
        self._label_smoothing = recipe.label_smoothing
        self._micro_batch_size = micro_batch_size(recipe.batch_size, recipe.accumulate)
        # Only for the model: the weights and their updates stay float32.
        self._autocast = torch.autocast(
            self.model.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"
        )

    def start_ema(self, steps: int) -> None:
        """Starts the weight average that the recipe asks for from the model now, in a run of `steps`."""
        self.ema = make_ema(self.recipe, self.model, steps)

    def change_recipe(self, recipe: Recipe, steps: int) -> None:
        """Continues with another recipe; the state of the optimizer and of the EMA is kept."""
        state = {name: value.clone() for name, value in self.state_dict().items()}
        self._configure(recipe)
        self.start_ema(steps)
        self.load_state_dict(state)

    def include_unlocked(self) -> None:
        """After weights of the model were unlocked: they are updated too; the others keep their state."""
        state = {name: value.clone() for name, value in self.state_dict().items()}
        self._configure(self.recipe)
        self.load_state_dict(state)

    def use_ema_weights(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights to evaluate: the EMA's, if there is one."""
        return self.ema.in_model() if self.ema else nullcontext()

    def evaluation_weights(self) -> dict[str, Tensor]:
        """The weights to evaluate: name -> tensor, shapes and dtypes as in the model's state dict.

        Not copied: later steps change the tensors.
        """
        return self.ema.weights() if self.ema else dict(self.model.state_dict())

    def state_dict(self) -> dict[str, Tensor]:
        """The state of the optimizer and of the EMA, without the model's own weights; not copied.

        Name -> tensor, as `optimizer_state` and `WeightEma.state_dict` give them.
        """
        ema = self.ema.state_dict() if self.ema else {}
        return {**optimizer_state(self.optimizer, self.model), **ema}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state_dict` gave; what is missing starts from its initial value.

        Name -> tensor, with the shapes of this model; names of neither part are ignored.
        """
        load_optimizer_state(self.optimizer, self.model, state)
        if self.ema:
            self.ema.load_state_dict(state)

    def backward(self, images: Tensor, labels: Tensor, count: int | None = None) -> tuple[Tensor, Tensor]:
        """Adds the gradients of a batch; returns its mean loss () and number of correct predictions ().

        `images` is (n, C, H, W), float32 and normalized; `labels` is (n,) int64, or (n, classes) float32 for
        mixed images. The loss is without label smoothing and class weights, so that it compares with the
        validation loss. Where the batch of `count` images is shared between ranks, these n are this rank's
        shard; the gradients and the returned numbers are those of the whole batch.
        """
        count = count or len(labels)
        boundaries = self._micro_batch_boundaries(count)
        parts = zip(images.tensor_split(boundaries), labels.tensor_split(boundaries), strict=True)
        results = [self._backward(part, targets, len(targets) / count) for part, targets in parts]
        losses, corrects = zip(*results, strict=True)
        loss, correct = (torch.stack(each).sum() if boundaries else each[0] for each in (losses, corrects))
        return self._ranks.all_reduce_gradients(self.model, (loss, correct))

    def _micro_batch_boundaries(self, count: int) -> list[int]:
        """The indices at which this rank's shard of a batch of `count` is split into micro-batches.

        A shard is every world_size-th image of the batch, beginning with image `rank`. Splitting at the same
        images on all ranks makes the ranks' parts together the micro-batches of a single process, and gives
        every rank the same number of them, so that their collectives match.
        """
        parts = micro_batch_count(count, self._micro_batch_size)
        size, larger = divmod(count, parts)
        rank, world_size = self._ranks.shard
        ends = (size * part + min(part, larger) for part in range(1, parts))
        # The number of this rank's images before `end`: ceil((end - rank) / world_size).
        return [-(-(end - rank) // world_size) for end in ends]

    def _backward(self, images: Tensor, labels: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
        """Loss times `fraction`, which is the part's share of the whole batch, and correct predictions."""
        with self._autocast:
            logits = self.forward(images)
        if not len(labels):
            # An empty shard adds nothing, but the collectives in the backward pass of a synchronized
            # BatchNormalization wait for this rank too.
            logits.sum().backward()
            zero = torch.zeros((), device=logits.device)
            return zero, zero.long()
        # bfloat16 has too few digits for the small differences that the loss is about.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = self._loss(logits, labels)
        with torch.no_grad():
            is_plain = not self._label_smoothing and self.class_weights is None
            plain_loss = loss.detach() if is_plain else F.cross_entropy(logits, labels)
            correct = (logits.argmax(1) == _target_classes(labels)).sum()
        # Without a multiplication in the usual case, which would be one more kernel forward and backward.
        if fraction == 1.0:
            loss.backward()
            return plain_loss, correct
        (loss * fraction).backward()
        return plain_loss * fraction, correct

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What the gradients are of: the mean over these images, with smoothing and class weights."""
        if self.class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=self._label_smoothing)
        # torch's own mean divides by the weights of just these images: micro-batches and ranks would not add
        # up to the batch.
        loss = F.cross_entropy(
            logits, labels, self.class_weights, label_smoothing=self._label_smoothing, reduction="sum"
        )
        return loss / len(labels)

    def update(self, *, measures: bool = False) -> Tensor | None:
        """Updates the weights by the gradients, and clears these.

        The order matters: the L2 penalty belongs to the loss, so its gradient comes before clipping; the EMA
        takes the weights after the update.

        Returns the L2 norm of all gradients before clipping, (), if `measures` or if they are clipped.
        """
        if self._l2_penalties:
            add_l2_gradients(self._l2_penalties)
        norm = None
        if self.recipe.clip_norm:
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        elif measures:
            norm = gradient_norm(self.model)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.update()
        return norm


def gradient_norm(model: nn.Module) -> Tensor:
    """The L2 norm of all gradients together, as a scalar on their device; 0 without gradients."""
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    return nn.utils.get_total_norm(gradients)


def _target_classes(labels: Tensor) -> Tensor:
    """The class of each image, (n,); for the soft labels of mixed images the class with the largest share."""
    return labels.argmax(1) if labels.ndim > 1 else labels


def micro_batch_size(batch_size: int, accumulate: int) -> int:
    """Images per micro-batch where a batch is computed in `accumulate` of them."""
    return -(-batch_size // accumulate)


def micro_batch_count(count: int, size: int) -> int:
    """How many micro-batches of about `size` images a batch of `count` is split into.

    None has a single image unless `size` is 1, because BatchNormalization cannot train on one.
    """
    parts = -(-count // size)
    return parts if size == 1 else max(min(parts, count // 2), 1)
