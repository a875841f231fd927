"""Tracks the best weights of a run, in memory, and saves and restores the run's checkpoints.

Of several ranks only the first has a folder; all of them track the best weights, which need no message: the
validation scores are the same on all ranks, and so are the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.training.checkpoints.position import Position, read_resumable_position
from cnnstudio.training.checkpoints.store import (
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    NewerCheckpointError,
    restore_weights,
)
from cnnstudio.training.events import Scores
from cnnstudio.training.hardware.torch_state import random_state
from cnnstudio.training.model import Model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep

_MODEL_PREFIX = "own."
"""Marks the model's own weights in a checkpoint's state, if `weights` are their moving average."""


@dataclass(frozen=True)
class BestWeights:
    """The weights with the best validation scores so far, on the CPU."""

    epoch: int
    scores: Scores
    weights: dict[str, Tensor]

    def to_json(self) -> dict[str, Any]:
        """Their entries in a checkpoint's metadata."""
        return {"epoch": self.epoch, "loss": self.scores.loss, "accuracy": self.scores.accuracy}


class ManagerState(NamedTuple):
    """What the first rank restored from the disk, to be copied to the other ranks."""

    best: BestWeights | None
    best_so_far: tuple[int, Scores] | None
    saved_step: int


class CheckpointManager:
    """Decides which weights are the best, saves, and restores. `warn` receives what could not be saved.

    `before_saving` is called before each save. It makes sure that the folder still exists and belongs to this
    run, and raises FileError otherwise.
    """

    def __init__(
        self,
        training_step: TrainingStep,
        folder: Path | None,
        warn: Callable[[str], None],
        before_saving: Callable[[], None] = lambda: None,
    ) -> None:
        self.best: BestWeights | None = None
        self.saved_step = 0
        """The step of the newest checkpoint."""
        self._best_so_far: tuple[int, Scores] | None = None
        """Epoch and scores to beat. After a restore, `best` may be from a later epoch."""
        self._training_step = training_step
        self._store = CheckpointStore(folder / "checkpoints") if folder else None
        self._warn = warn
        self._before_saving = before_saving
        self._last_save_failed = False
        self._best_on_disk: int | None = None
        """The epoch of the best weights on the disk, as far as this process has written or read them."""

    def state(self) -> ManagerState:
        return ManagerState(self.best, self._best_so_far, self.saved_step)

    def set_state(self, state: ManagerState) -> None:
        self.best, self._best_so_far, self.saved_step = state

    def mark_unsaved(self) -> None:
        """Makes a save necessary even at the step that was saved last, as after a change of the recipe."""
        self.saved_step = -1

    def is_best(self, epoch: int, scores: Scores) -> bool:
        """Whether this epoch is the best so far, by validation accuracy and then by loss."""
        if self._best_so_far is None or self._best_so_far[0] == epoch:
            return True
        before = self._best_so_far[1]
        return (scores.accuracy, -scores.loss) > (before.accuracy, -before.loss)

    def epochs_without_improvement(self, epoch: int) -> int:
        """Epochs since the best one, up to `epoch`."""
        return epoch - self._best_so_far[0] if self._best_so_far else 0

    def record_epoch(self, epoch: int, scores: Scores) -> bool:
        """Copies the weights at the end of an epoch if they are the best; returns whether they are."""
        best = self.is_best(epoch, scores)
        if best:
            self.best, self._best_so_far = BestWeights(epoch, scores, self._weights()), (epoch, scores)
            self._best_on_disk = None
        return best

    def save(self, position: Position, *, best: bool = False) -> None:
        """Saves the run at `position`; with `best`, the end of an epoch that is the best, also as that.

        Until the first epoch is complete, every checkpoint counts as the best, so that there always is one.
        """
        if self._store is None:
            self.saved_step = position.step
            return
        if best and self.best is not None:
            metadata = position.to_json() | self.best.to_json()
            checkpoint = Checkpoint(self.best.weights, metadata, self._resume_state())
        else:
            # Before the position, whose history names the best epoch: a run that resumes there must find it.
            self.save_best()
            checkpoint = Checkpoint(self._weights(), position.to_json(), self._resume_state())
        stem = f"step-{position.step:09d}" if position.batch else f"epoch-{position.epoch:05d}"
        as_best = best or self.best is None
        if self._try_save(lambda store: store.save(stem, checkpoint, best=as_best)):
            self.saved_step = position.step
            if best and self.best is not None:
                self._best_on_disk = self.best.epoch

    def save_best(self) -> None:
        """Writes the best weights if the disk has others, or if they were deleted there."""
        best = self.best
        if best is None or self._store is None:
            return
        if "best" in self._store and self._best_on_disk == best.epoch:
            return
        checkpoint = Checkpoint(best.weights, best.to_json())
        if self._try_save(lambda store: store.save_best(f"epoch-{best.epoch:05d}", checkpoint)):
            self._best_on_disk = best.epoch

    def restore(self, requested: Recipe, steps_per_epoch: int) -> tuple[Position, dict[str, Tensor]] | None:
        """Loads the model's weights from the last checkpoint in the folder; None if there is none.

        Returns the position and the state of the training step and the random numbers. Raises
        CheckpointError.
        """
        checkpoint = load_last_checkpoint(self._store, self._warn) if self._store else None
        if checkpoint is None or self._store is None:
            return None
        position = read_resumable_position(checkpoint, requested, steps_per_epoch)
        restore_weights(self._training_step.model, model_weights(checkpoint))
        self._restore_best(self._store, position, checkpoint.weights)
        self.saved_step = position.step
        return position, checkpoint.state

    def _restore_best(
        self, store: CheckpointStore, position: Position, last_weights: dict[str, Tensor]
    ) -> None:
        """Loads the best weights. If damaged, the epoch that has just ended, or ends next, is the best."""
        try:
            found = store.load("best")
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            self._warn(f"{error} The best weights so far are lost.")
            if position.history and not position.batch:
                ended = position.history[-1]
                self.best = BestWeights(ended.epoch, ended.validation, last_weights)
                self._best_so_far = (ended.epoch, ended.validation)
            return
        # Without scores it was written before the end of the first epoch (see `save`).
        if "loss" in found.info:
            scores = Scores(found.info["loss"], found.info["accuracy"])
            self.best = BestWeights(found.info["epoch"], scores, found.weights)
            self._best_on_disk = self.best.epoch
            # If `last` was damaged, the best on the disk may be from an epoch after this position. The epochs
            # that are repeated must be judged as they were the first time, so the history decides.
            best_epochs = [event for event in position.history if event.best]
            if best_epochs:
                self._best_so_far = (best_epochs[-1].epoch, best_epochs[-1].validation)
            else:
                self._best_so_far = (self.best.epoch, scores)

    def _weights(self) -> dict[str, Tensor]:
        return _copy_to_cpu(self._training_step.evaluation_weights())

    def _resume_state(self) -> dict[str, Tensor]:
        """What resuming takes besides the weights that are evaluated."""
        training_step = self._training_step
        model = training_step.model
        own = {_MODEL_PREFIX + name: value for name, value in model.state_dict().items()}
        return random_state(model.device) | training_step.state_dict() | (own if training_step.ema else {})

    def _try_save(self, save: Callable[[CheckpointStore], None]) -> bool:
        """Saves; returns whether that worked. A failure only warns: a full disk must not end a training."""
        if self._store is None:
            return False
        try:
            self._before_saving()
            save(self._store)
            self._last_save_failed = False
        except UserError as error:
            # Only the first failure in a row: a full disk would otherwise be reported every half minute.
            if not self._last_save_failed:
                self._warn(f"The weights could not be saved; training continues. {error}")
            self._last_save_failed = True
        return not self._last_save_failed


def load_last_checkpoint(store: CheckpointStore, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest undamaged checkpoint, with its state; None if there is none. Raises CheckpointError.

    `previous` is used only if `last` is damaged, not if a newer program wrote it, whose work would be lost.
    """
    if "last" not in store:
        return None
    try:
        return store.load("last", with_state=True)
    except NewerCheckpointError:
        raise
    except CheckpointError as error:
        if "previous" not in store:
            raise
        try:
            previous = store.load("previous", with_state=True)
        except CheckpointError:
            raise error from None
        warn(f"{error} Resuming from the previous checkpoint.")
        return previous


def model_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The weights that training continues with, also where the checkpoint's `weights` are their average."""
    own = {
        key.removeprefix(_MODEL_PREFIX): value
        for key, value in checkpoint.state.items()
        if key.startswith(_MODEL_PREFIX)
    }
    return own or checkpoint.weights


def _copy_to_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}


def all_finite(model: Model) -> bool:
    """Whether no weight or running statistic is NaN or infinite."""
    return all(
        bool(torch.isfinite(value).all())
        for value in model.state_dict().values()
        if value.is_floating_point()
    )
