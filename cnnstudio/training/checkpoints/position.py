"""Where a run is between two steps, as a checkpoint's metadata tells it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from cnnstudio.training.checkpoints.store import Checkpoint, CheckpointError, MisfitError
from cnnstudio.training.events import EpochEnded, EventError, event_from_json
from cnnstudio.training.metrics import NO_SUMS, EpochSums
from cnnstudio.training.recipe.live_changes import CHANGEABLE_WHILE_TRAINING, differences
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

_MAX_EPOCH = 10**9
"""No run has that many; a larger number is damage."""


@dataclass(frozen=True)
class Position:
    """Everything that a run needs to resume and that is not a tensor.

    The names in JSON are part of the file format: `original_recipe` is “asked” there.
    """

    epoch: int
    """Complete epochs."""
    batch: int
    """Batches done of the next epoch."""
    steps_per_epoch: int
    seconds: float
    original_recipe: Recipe
    """The recipe that the run began with."""
    recipe: Recipe
    """The recipe now, after changes while it ran."""
    sums: EpochSums = NO_SUMS
    """Of the unfinished epoch."""
    history: tuple[EpochEnded, ...] = ()
    threads: int | None = None
    """CPU threads for the next step; None if their number does not change, or is not known."""
    kept_statistics: tuple[str, ...] = ()
    """The batch normalizations that keep their statistics, by their names in the model."""

    @property
    def step(self) -> int:
        """Steps done."""
        return self.epoch * self.steps_per_epoch + self.batch

    def at_epoch_end(self, steps_per_epoch: int) -> Position:
        """The end of the last complete epoch, for batches of a different size."""
        return dataclasses.replace(self, batch=0, sums=NO_SUMS, steps_per_epoch=steps_per_epoch)

    def to_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "steps_per_epoch": self.steps_per_epoch,
            "seconds": self.seconds,
            "asked": self.original_recipe.to_json(),
            "recipe": self.recipe.to_json(),
            "sums": list(self.sums),
            "history": [event.to_json() for event in self.history],
            **({} if self.threads is None else {"threads": self.threads}),
            **({"kept_statistics": list(self.kept_statistics)} if self.kept_statistics else {}),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], requested: Recipe, steps_per_epoch: int) -> Position:
        """The position that `to_json` wrote. What version 1 did not write comes from the other arguments.

        Raises KeyError, TypeError, ValueError, OverflowError, RecipeError or EventError.
        """
        loss, correct, images = content.get("sums", NO_SUMS)
        position = cls(
            int(content["epoch"]),
            int(content.get("batch", 0)),
            int(content.get("steps_per_epoch", steps_per_epoch)),
            float(content["seconds"]),
            Recipe.from_json(content["asked"]) if "asked" in content else requested,
            Recipe.from_json(content["recipe"]) if "recipe" in content else requested,
            (float(loss), float(correct), int(images)),
            tuple(_epoch_ended(entry) for entry in content.get("history", ())),
            content.get("threads"),
            tuple(content.get("kept_statistics", ())),
        )
        if not all(isinstance(name, str) for name in position.kept_statistics):
            raise TypeError
        if position.threads is not None and (type(position.threads) is not int or position.threads < 1):
            raise ValueError
        if not 0 <= position.epoch <= _MAX_EPOCH or not 0 <= position.batch <= position.steps_per_epoch:
            raise ValueError
        if not all(map(math.isfinite, (position.seconds, *position.sums))):
            raise ValueError
        return position


def read_position(checkpoint: Checkpoint, requested: Recipe, steps_per_epoch: int) -> Position:
    """Where the run was when the checkpoint was written. Raises CheckpointError."""
    try:
        return Position.from_json(checkpoint.info, requested, steps_per_epoch)
    except (RecipeError, EventError) as error:
        raise CheckpointError(f"Cannot resume from this checkpoint: {error}.") from None
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise CheckpointError(
            "Cannot resume from this checkpoint: the position of the run is missing or invalid."
        ) from None


def read_resumable_position(checkpoint: Checkpoint, requested: Recipe, steps_per_epoch: int) -> Position:
    """The same for a run that resumes with the requested recipe.

    Raises CheckpointError if the recipe does not fit. Fields that may change while a run trains may also
    change when it resumes.
    """
    position = read_position(checkpoint, requested, steps_per_epoch)
    for name, before, now in differences(position.original_recipe, requested):
        if name not in CHANGEABLE_WHILE_TRAINING:
            raise MisfitError(
                f"{name}: the checkpoint was written with {before}, so the run cannot resume with {now}."
            )
    if position.batch and position.steps_per_epoch != steps_per_epoch:
        raise MisfitError(
            f"The checkpoint was written within an epoch of {position.steps_per_epoch:,} batches, so the run "
            f"cannot resume with {steps_per_epoch:,}: use the same training images."
        )
    return position


def _epoch_ended(content: Any) -> EpochEnded:
    event = event_from_json(content)
    if not isinstance(event, EpochEnded):
        raise EventError("its history contains an event other than EpochEnded")
    scores = (event.train.loss, event.train.accuracy, event.validation.loss, event.validation.accuracy)
    if not all(map(math.isfinite, (*scores, event.seconds))):
        raise EventError("its history contains NaN or infinite values")
    return event
