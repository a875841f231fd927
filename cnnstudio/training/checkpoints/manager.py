"""Tracks the best weights of a run, in memory, and saves and restores the run's checkpoints.

Of several ranks only the first has a folder; all of them track the best weights, which need no message: the
validation scores are the same on all ranks, and so are the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from torch import Tensor, nn

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, is_disk_full
from cnnstudio.core.parameters import shorten
from cnnstudio.training.checkpoints.position import Position, read_resumable_position
from cnnstudio.training.checkpoints.store import (
    NAMES,
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    MisfitError,
    NewerCheckpointError,
    require_same_shapes,
    restore_weights,
)
from cnnstudio.training.events import FULL_DISK, Scores, WarnFunction
from cnnstudio.training.hardware.torch_state import random_state
from cnnstudio.training.model import Model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep

_Result = TypeVar("_Result")

_SAVE_ERRORS = (UserError, OSError, SafetensorError, ValueError)
"""What a save may raise, for whatever reason: none of them may end the training, or keep it from ending."""

FEW_VALIDATION_IMAGES = 100
"""With fewer, each changes the accuracy by more than a point, and the loss chooses the best epoch."""

_MODEL_PREFIX = "own."
"""Marks the model's own weights in a checkpoint's state, if `weights` are their moving average."""


@dataclass(frozen=True)
class BestWeights:
    """The weights with the best validation scores so far, on the CPU."""

    epoch: int
    scores: Scores
    weights: dict[str, Tensor]
    position: Mapping[str, Any]
    """The end of their epoch, as JSON; empty if it is unknown."""

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
        warn: WarnFunction,
        validation_images: int,
        before_saving: Callable[[], None] = lambda: None,
        require_own: Callable[[Mapping[str, Any]], None] = lambda info: None,
        waits_for_best: bool = False,
    ) -> None:
        self.best: BestWeights | None = None
        self.saved_step = 0
        """The step of the newest checkpoint."""
        self._best_so_far: tuple[int, Scores] | None = None
        """Epoch and scores to beat. After a restore, `best` may be from a later epoch."""
        self._training_step = training_step
        self._store = CheckpointStore(folder / "checkpoints", require_own) if folder else None
        self._warn = warn
        self._compares_losses = validation_images < FEW_VALIDATION_IMAGES
        self._before_saving = before_saving
        self._waits_for_best = waits_for_best
        """Whether the run does not continue without its best weights on the disk, and says so itself."""
        self._last_save_failed = False
        self._failure = ""
        """Why the last save failed; empty if it did not."""
        self.is_disk_full = False
        """Whether the last save failed for want of space."""
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
        """Whether this epoch is the best so far, by validation accuracy and then by loss.

        With few validation images by loss alone: of ten, an early epoch often has as many right by chance.
        """
        if self._best_so_far is None or self._best_so_far[0] == epoch:
            return True
        before = self._best_so_far[1]
        if self._compares_losses:
            return scores.loss < before.loss
        return (scores.accuracy, -scores.loss) > (before.accuracy, -before.loss)

    def epochs_without_improvement(self, epoch: int) -> int:
        """Epochs since the best one, up to `epoch`."""
        return epoch - self._best_so_far[0] if self._best_so_far else 0

    def record_epoch(self, epoch: int, scores: Scores, position: Position) -> bool:
        """Copies the weights at the end of an epoch if they are the best; returns whether they are."""
        best = self.is_best(epoch, scores)
        if best:
            self.best = BestWeights(epoch, scores, self._weights(), position.to_json())
            self._best_so_far = (epoch, scores)
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
        elif best:
            # The weights alone take less room than all that resuming needs.
            self.save_best()

    def save_best(self) -> None:
        """Writes the best weights if the disk has others, or if they were deleted there."""
        best = self.best
        if best is None or self._store is None:
            return
        if "best" in self._store and self._best_on_disk == best.epoch:
            return
        # Without a position if there is no `last` yet: see `load_newest_checkpoint`.
        position = best.position if "last" in self._store else {}
        checkpoint = Checkpoint(best.weights, {**position, **best.to_json()})
        if self._try_save(lambda store: store.save_best(f"epoch-{best.epoch:05d}", checkpoint)):
            self._best_on_disk = best.epoch
        elif self._is_best_on_disk():
            # What failed came after them, such as the sync of the folder.
            self._best_on_disk = best.epoch

    @property
    def unsaved_reason(self) -> str:
        """Why the best weights could not be saved; empty if they were, or if it was not tried yet."""
        best = self.best
        if best is None or self._store is None or self._best_on_disk == best.epoch:
            return ""
        return self._failure

    def read_best_epoch(self) -> int | None:
        """The epoch of the best weights on the disk, read from there; None if there are none of an epoch."""
        found = self._read_best()
        return found[0] if found else None

    def _read_best(self) -> tuple[int, Scores] | None:
        if self._store is None:
            return None
        try:
            found = self._store.load("best")
            scores = _read_scores(found)
        except _SAVE_ERRORS:
            return None
        return (found.info["epoch"], scores) if scores else None

    def _is_best_on_disk(self) -> bool:
        return self.best is not None and self._read_best() == (self.best.epoch, self.best.scores)

    def confirm_best(self) -> bool:
        """Saves the best weights if necessary, and reads back whether they are on the disk.

        True without a folder, or without best weights: then there is nothing that the disk could contradict.
        """
        if self.best is None or self._store is None:
            return True
        self.save_best()
        if self._is_best_on_disk():
            return True
        # Once more: they may have been deleted or damaged since they were written.
        self._best_on_disk = None
        self.save_best()
        return self._is_best_on_disk()

    def restore(self, requested: Recipe, steps_per_epoch: int) -> tuple[Position, dict[str, Tensor]] | None:
        """Loads the model's weights from the newest usable checkpoint in the folder; None if there is none.

        Returns the position and the state of the training step and the random numbers. Raises
        CheckpointError.
        """

        def restore(checkpoint: Checkpoint) -> tuple[Checkpoint, Position]:
            position = read_resumable_position(checkpoint, requested, steps_per_epoch)
            restore_weights(self._training_step.model, model_weights(checkpoint))
            return checkpoint, position

        found = load_newest_checkpoint(self._store, self._warn, restore) if self._store else None
        if found is None or self._store is None:
            return None
        checkpoint, position = found
        self._restore_best(self._store, position, checkpoint.weights)
        self.saved_step = position.step
        return position, checkpoint.state

    def _restore_best(
        self, store: CheckpointStore, position: Position, last_weights: dict[str, Tensor]
    ) -> None:
        """Loads the best weights. If damaged, the epoch that has just ended, or ends next, is the best."""
        try:
            found = store.load("best")
            scores = _read_scores(found)
            if scores is not None:
                # Those of another design would fail only when the run is tested.
                require_same_shapes(found.weights, last_weights)
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            if position.history:
                self._warn(f"{error} The best weights so far are lost.")
            if position.history and not position.batch:
                ended = position.history[-1]
                self.best = BestWeights(ended.epoch, ended.validation, last_weights, position.to_json())
                self._best_so_far = (ended.epoch, ended.validation)
            return
        # Without scores it was written before the end of the first epoch (see `save`).
        if scores is not None:
            place = {} if "seconds" not in found.info else found.info
            self.best = BestWeights(found.info["epoch"], scores, found.weights, place)
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
            self._last_save_failed, self._failure, self.is_disk_full = False, "", False
        except _SAVE_ERRORS as error:
            self._failure = error.cause if isinstance(error, FileError) else _describe(error)
            self.is_disk_full = is_disk_full(error)
            is_told = self._waits_for_best and self.best is not None and bool(self.unsaved_reason)
            # Only the first failure in a row: a full disk would otherwise be reported every half minute.
            if not self._last_save_failed and not is_told:
                text = f"The weights could not be saved; training continues. {_describe(error)}"
                self._warn(text, FULL_DISK if self.is_disk_full else None)
            self._last_save_failed = True
        return not self._last_save_failed


def load_newest_checkpoint(
    store: CheckpointStore, warn: Callable[[str], None], use: Callable[[Checkpoint], _Result]
) -> _Result | None:
    """What `use` makes of the newest checkpoint that is usable; None if there is none to resume from.

    Whatever is wrong with `last`, `previous` is tried, and then `best`; `warn` is told why. `use` raises
    CheckpointError for a checkpoint that does not do. Raises CheckpointError if none does, and at once if a
    newer program wrote one, whose work would be lost, or if none could fit what is requested.
    """
    failures: list[CheckpointError] = []
    if not any(name in store for name in NAMES):
        return None
    is_only_best = "last" not in store and "previous" not in store
    for name in NAMES:
        try:
            checkpoint = store.load(name, with_state=True)
            if is_only_best and name == "best" and "seconds" not in checkpoint.info:
                # The run was interrupted in its first save, which begins with the best weights.
                return None
            result = use(checkpoint)
        except (NewerCheckpointError, MisfitError):
            raise
        except CheckpointError as error:
            failures.append(error)
        else:
            if failures:
                state = "" if checkpoint.state else ", with a new state of the optimizer and random numbers"
                warn(f"{' '.join(map(str, failures))} Resuming from the {name} checkpoint{state}.")
            return result
    raise failures[0]


def has_position(store: CheckpointStore) -> bool:
    """Whether there is a checkpoint to resume from, which may turn out to be damaged.

    The same rule as in `load_newest_checkpoint`: the best weights alone are one only if they say where the
    run stood.
    """
    if "last" in store or "previous" in store:
        return True
    if "best" not in store:
        return False
    try:
        return "seconds" in store.load("best").info
    except CheckpointError:
        return True  # whoever resumes says what is wrong with it


def _read_scores(best: Checkpoint) -> Scores | None:
    """The scores of the best weights; None if they were written before the end of the first epoch.

    Raises CheckpointError.
    """
    if "loss" not in best.info:
        return None
    epoch, loss, accuracy = (best.info.get(key) for key in ("epoch", "loss", "accuracy"))
    if type(epoch) is not int or not all(type(value) in (int, float) for value in (loss, accuracy)):
        raise CheckpointError("The checkpoint “best” is damaged: its epoch or its scores are invalid.")
    return Scores(float(best.info["loss"]), float(best.info["accuracy"]))


def _describe(error: Exception) -> str:
    """The error as a sentence."""
    if isinstance(error, UserError):
        return str(error)
    return f"{getattr(error, 'strerror', None) or shorten(str(error)) or type(error).__name__}."


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
    """Whether no weight that learns and no running statistic is NaN or infinite."""
    learned = (weights for weights in model.parameters() if weights.requires_grad)
    statistics = (value for value in model.buffers() if value.is_floating_point())
    # The largest of all of them, because each that is read makes the host wait for an accelerator.
    return math.isfinite(nn.utils.get_total_norm([*learned, *statistics], math.inf))
