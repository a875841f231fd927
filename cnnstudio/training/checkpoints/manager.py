"""Keeps the weights of a training: the best in memory, and what is needed to go on in the run's folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.training.checkpoints.store import (
    Checkpoint,
    CheckpointError,
    Checkpoints,
    NewerCheckpointError,
    restore_weights,
)
from cnnstudio.training.events import EpochEnded, EventError, Scores, event_from_json
from cnnstudio.training.hardware.torch_state import random_state
from cnnstudio.training.metrics import NOTHING, Sums
from cnnstudio.training.model import Model
from cnnstudio.training.recipe.live_changes import ADJUSTABLE, differences
from cnnstudio.training.recipe.recipe import Recipe, RecipeError
from cnnstudio.training.train_step import Learner

_OWN = "own."
"""In front of the names of the model's own weights, where those that count are an average."""


@dataclass(frozen=True)
class Best:
    """The weights that did best on the validation images so far, on the CPU."""

    epoch: int
    scores: Scores
    weights: dict[str, Tensor]

    def to_json(self) -> dict[str, Any]:
        """What is noted of them."""
        return {"epoch": self.epoch, "loss": self.scores.loss, "accuracy": self.scores.accuracy}


@dataclass(frozen=True)
class Position:
    """Where a run is between two steps, all that is no tensor."""

    epoch: int
    """Whole epochs done."""
    batch: int
    """Batches done of the next one."""
    steps_per_epoch: int
    seconds: float
    asked: Recipe
    """What the run was asked for when it began."""
    recipe: Recipe
    """What that has become."""
    sums: Sums = NOTHING
    """Of the epoch that is not done."""
    history: tuple[EpochEnded, ...] = ()

    @property
    def step(self) -> int:
        """Steps done."""
        return self.epoch * self.steps_per_epoch + self.batch

    def at_epoch_end(self, steps_per_epoch: int) -> Position:
        """The end of the last whole epoch, in batches of another size."""
        return dataclasses.replace(self, batch=0, sums=NOTHING, steps_per_epoch=steps_per_epoch)

    def to_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "steps_per_epoch": self.steps_per_epoch,
            "seconds": self.seconds,
            "asked": self.asked.to_json(),
            "recipe": self.recipe.to_json(),
            "sums": list(self.sums),
            "history": [event.to_json() for event in self.history],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], asked: Recipe, steps_per_epoch: int) -> Position:
        """What `to_json` wrote; checkpoints of the first version leave out all that the defaults say.

        Raises KeyError, TypeError, ValueError, OverflowError, RecipeError or EventError.
        """
        loss, right, images = content.get("sums", NOTHING)
        position = cls(
            int(content["epoch"]),
            int(content.get("batch", 0)),
            int(content.get("steps_per_epoch", steps_per_epoch)),
            float(content["seconds"]),
            Recipe.from_json(content["asked"]) if "asked" in content else asked,
            Recipe.from_json(content["recipe"]) if "recipe" in content else asked,
            (float(loss), float(right), int(images)),
            tuple(_epoch_ended(entry) for entry in content.get("history", ())),
        )
        if position.epoch < 0 or not 0 <= position.batch <= position.steps_per_epoch:
            raise ValueError
        return position


class Keeper:
    """Decides which weights are the best, saves, and restores. `warn` hears of what could not be saved.

    `before_saving` is called each time; it makes sure that the folder is there and the run's own, or raises
    FileError.
    """

    def __init__(
        self,
        learner: Learner,
        folder: Path | None,
        warn: Callable[[str], None],
        before_saving: Callable[[], None] = lambda: None,
    ) -> None:
        self.best: Best | None = None
        self.saved_step = 0
        self._to_beat: tuple[int, Scores] | None = None
        self._learner = learner
        self._checkpoints = Checkpoints(folder / "checkpoints") if folder else None
        self._warn = warn
        self._before_saving = before_saving
        self._fails = False
        self._best_on_disk: int | None = None
        """The epoch of it, where this program has written or read it."""

    @property
    def standing(self) -> tuple[Best | None, tuple[int, Scores] | None, int]:
        """What is known of the weights until now, as another rank takes it up."""
        return self.best, self._to_beat, self.saved_step

    @standing.setter
    def standing(self, standing: tuple[Best | None, tuple[int, Scores] | None, int]) -> None:
        self.best, self._to_beat, self.saved_step = standing

    def is_best(self, epoch: int, scores: Scores) -> bool:
        """By validation accuracy, then by loss."""
        if self._to_beat is None or self._to_beat[0] == epoch:
            return True
        before = self._to_beat[1]
        return (scores.accuracy, -scores.loss) > (before.accuracy, -before.loss)

    def epochs_without_better(self, epoch: int) -> int:
        """Epochs up to this one since the best."""
        return epoch - self._to_beat[0] if self._to_beat else 0

    def judge(self, epoch: int, scores: Scores) -> bool:
        """Keeps the weights of an epoch that has ended in memory, if they are the best; whether they are."""
        best = self.is_best(epoch, scores)
        if best:
            self.best, self._to_beat = Best(epoch, scores, self._weights()), (epoch, scores)
            self._best_on_disk = None
        return best

    def save(self, position: Position, *, best: bool = False) -> None:
        """Saves where the run is; with `best` the end of an epoch that is the best, as that too.

        Until the first epoch has ended, what there is counts as the best.
        """
        if self._checkpoints is None:
            self.saved_step = position.step
            return
        if best and self.best is not None:
            notes = position.to_json() | self.best.to_json()
            checkpoint = Checkpoint(self.best.weights, notes, self._state())
        else:
            # Before the position that tells of it: whoever goes on from there has to find it.
            self.keep_best()
            checkpoint = Checkpoint(self._weights(), position.to_json(), self._state())
        stem = f"step-{position.step:09d}" if position.batch else f"epoch-{position.epoch:05d}"
        as_best = best or self.best is None
        if self._try_to(lambda checkpoints: checkpoints.save(stem, checkpoint, best=as_best)):
            self.saved_step = position.step
            if best and self.best is not None:
                self._best_on_disk = self.best.epoch

    def restore(self, asked: Recipe, steps_per_epoch: int) -> tuple[Position, dict[str, Tensor]] | None:
        """Goes back to the last checkpoint in the folder; None where there is none.

        Gives the position, and what the learner and the random numbers go on from. Raises CheckpointError.
        """
        found = last_checkpoint(self._checkpoints, self._warn) if self._checkpoints else None
        if found is None or self._checkpoints is None:
            return None
        position = _fitting_position(found, asked, steps_per_epoch)
        restore_weights(self._learner.model, own_weights(found))
        self._restore_best(self._checkpoints, position, found.weights)
        self.saved_step = position.step
        return position, found.state

    def _restore_best(self, checkpoints: Checkpoints, position: Position, last: dict[str, Tensor]) -> None:
        """The best weights; where they are damaged, those of the epoch that has just ended, or ends next."""
        try:
            found = checkpoints.load("best")
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            self._warn(f"{error} The best weights until now are lost.")
            if position.history and not position.batch:
                ended = position.history[-1]
                self.best = Best(ended.epoch, ended.validation, last)
                self._to_beat = (ended.epoch, ended.validation)
            return
        if "loss" in found.info:
            scores = Scores(found.info["loss"], found.info["accuracy"])
            self.best = Best(found.info["epoch"], scores, found.weights)
            self._best_on_disk = self.best.epoch
            # The best on the disk may be of a later epoch than this checkpoint.
            best = [event for event in position.history if event.best]
            self._to_beat = (best[-1].epoch, best[-1].validation) if best else (self.best.epoch, scores)

    def _weights(self) -> dict[str, Tensor]:
        return _on_cpu(self._learner.weights())

    def _state(self) -> dict[str, Tensor]:
        """What it takes to go on, beside the weights that count."""
        model = self._learner.model
        own = {_OWN + name: value for name, value in model.state_dict().items()}
        return random_state(model.device) | self._learner.memory() | (own if self._learner.average else {})

    def keep_best(self) -> None:
        """Saves the best weights where the disk has others, or they were deleted or damaged there."""
        best = self.best
        if best is None or self._checkpoints is None:
            return
        if "best" in self._checkpoints and self._best_on_disk == best.epoch:
            return
        checkpoint = Checkpoint(best.weights, best.to_json())
        if self._try_to(lambda checkpoints: checkpoints.save_best(f"epoch-{best.epoch:05d}", checkpoint)):
            self._best_on_disk = best.epoch

    def _try_to(self, save: Callable[[Checkpoints], None]) -> bool:
        """Whether it could be saved."""
        if self._checkpoints is None:
            return False
        try:
            self._before_saving()
            save(self._checkpoints)
            self._fails = False
        except UserError as error:
            # Said once: a full disk would else be reported every half a minute.
            if not self._fails:
                self._warn(f"The weights could not be saved; the run goes on. {error}")
            self._fails = True
        return not self._fails


def last_checkpoint(checkpoints: Checkpoints, warn: Callable[[str], None]) -> Checkpoint | None:
    """The last one that is whole, with its state; None where there is none. Raises CheckpointError."""
    if "last" not in checkpoints:
        return None
    try:
        return checkpoints.load("last", with_state=True)
    except NewerCheckpointError:
        raise
    except CheckpointError as error:
        if "previous" not in checkpoints:
            raise
        try:
            previous = checkpoints.load("previous", with_state=True)
        except CheckpointError:
            raise error from None
        warn(f"{error} The run goes on from the one before it.")
        return previous


def own_weights(found: Checkpoint) -> dict[str, Tensor]:
    """The model's weights, also where an average of them is what counts."""
    own = {key.removeprefix(_OWN): value for key, value in found.state.items() if key.startswith(_OWN)}
    return own or found.weights


def position_of(found: Checkpoint, asked: Recipe, steps_per_epoch: int) -> Position:
    """Where the checkpoint was written. Raises CheckpointError."""
    try:
        return Position.from_json(found.info, asked, steps_per_epoch)
    except (RecipeError, EventError) as error:
        raise CheckpointError(f"The checkpoint cannot be gone on from: {error}.") from None
    except (KeyError, TypeError, ValueError, OverflowError):
        raise CheckpointError(
            "The checkpoint cannot be gone on from: it does not say as it should where the run was."
        ) from None


def _fitting_position(found: Checkpoint, asked: Recipe, steps_per_epoch: int) -> Position:
    """The same, if a run of this recipe can go on from there to the same end."""
    position = position_of(found, asked, steps_per_epoch)
    for name, before, now in differences(position.asked, asked):
        if name not in ADJUSTABLE:
            raise CheckpointError(
                f"{name}: the checkpoint was written with {before}, so the run cannot go on with {now}."
            )
    if position.batch and position.steps_per_epoch != steps_per_epoch:
        raise CheckpointError(
            f"The checkpoint was written within an epoch of {position.steps_per_epoch:,} batches, so the run "
            f"cannot go on with {steps_per_epoch:,}: it needs the same images."
        )
    return position


def _epoch_ended(content: Any) -> EpochEnded:
    event = event_from_json(content)
    if not isinstance(event, EpochEnded):
        raise EventError("its history tells of something else than epochs")
    return event


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}


def all_finite(model: Model) -> bool:
    """Whether every weight, running mean included, is a number."""
    return all(
        bool(torch.isfinite(value).all())
        for value in model.state_dict().values()
        if value.is_floating_point()
    )
