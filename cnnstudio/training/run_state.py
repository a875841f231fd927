"""A run in the middle of its way: what it trains, where it stands, how it is saved, restored and changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from cnnstudio.training.checkpoints.manager import Keeper, Position, all_finite
from cnnstudio.training.checkpoints.save_schedule import Clock, Interval
from cnnstudio.training.checkpoints.store import CheckpointError
from cnnstudio.training.checkpoints.warm_start import Ancestor, Inheritance, inherit
from cnnstudio.training.compilation import quickest
from cnnstudio.training.distributed.ranks import Ranks
from cnnstudio.training.distributed.sync_batch_norm import share_normalization
from cnnstudio.training.events import Adjusted, EpochEnded, Event, Scores, Started, Warned
from cnnstudio.training.hardware.torch_state import set_random_state
from cnnstudio.training.metrics import NOTHING, Meter, Stopwatch
from cnnstudio.training.optimization.schedule import learning_rates
from cnnstudio.training.preflight.prepare import Prepared
from cnnstudio.training.recipe.live_changes import continued, differences
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import Learner

_WORTH_A_TRIAL = frozenset({"cuda"})
"""Devices on which the quickest way is looked for."""


class Course:
    """What a run has: the training loop moves it on, and what comes between two steps changes it."""

    def __init__(
        self, prepared: Prepared, emit: Callable[[Event], None], folder: Path | None, ranks: Ranks
    ) -> None:
        self.prepared = prepared
        self.recipe = recipe = prepared.recipe
        self.emit = emit
        self.folder = folder
        self.ranks = ranks
        self.model = prepared.fresh_model()
        share_normalization(self.model, ranks)
        self.learner = Learner(self.model, recipe, ranks)
        self.batches = prepared.batches(ranks.share)
        self.validation = prepared.unshuffled(prepared.validation, ranks.share)
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.keeper = Keeper(self.learner, None, self.warn)
        self.early_events: list[Event] | None = [Warned(message) for message in prepared.warnings]
        self.epochs_done = self.step = 0
        self.sums = NOTHING
        self.history: list[EpochEnded] = []
        self.inherited: Inheritance | None = None
        self.watch = Stopwatch()
        self.saving = Clock(Interval(), 0.0)

    def keep_in(self, folder: Path | None, interval: Interval, before_saving: Callable[[], None]) -> None:
        """Has the run saved there; of several ranks the first has a folder, and all go by the interval."""
        self.keeper = Keeper(self.learner, folder, self.warn, before_saving)
        self.saving = Clock(interval, self.watch.seconds)

    def restore(self) -> None:
        """Goes back to the last checkpoint in the folder. Raises CheckpointError."""
        found, standing = self.ranks.from_first(
            lambda: (self.keeper.restore(self.recipe, len(self.batches)), self.keeper.standing)
        )
        if found is None:
            return
        self.keeper.standing = standing
        self.ranks.spread(self.model)
        position, memory = found
        self._go_to(position)
        self._adopt(position.recipe)
        self.learner.restore(memory)
        self.change_to(continued(position.asked, position.recipe, self.prepared.recipe))
        self._go_on_by_chance(memory)

    def inherit(self, ancestor: Ancestor) -> None:
        """Goes on where another run stands, with what this design keeps of it."""
        self.inherited = found = self.ranks.from_first(
            lambda: inherit(ancestor, self.prepared, len(self.batches), self.warn)
        )
        self._go_to(found.position)
        self.history = []
        self._say(found.told)
        self.change_to(found.recipe)

    def _go_to(self, position: Position) -> None:
        self.epochs_done, self.step, self.sums = position.epoch, position.step, position.sums
        self.history = list(position.history)
        self.watch = Stopwatch(position.seconds)
        self.saving = Clock(self.saving.interval, position.seconds)

    def _go_on_by_chance(self, state: dict[str, Tensor]) -> None:
        """Takes up the random numbers of a checkpoint. Raises CheckpointError."""
        try:
            set_random_state(self.prepared.device, state)
        except (KeyError, RuntimeError, TypeError):
            raise CheckpointError(
                "The checkpoint cannot be gone on from: its random numbers are not those of this torch "
                f"({torch.__version__})."
            ) from None

    def start(self) -> None:
        """Says what starts, and all that was to be said before it."""
        prepared = self.prepared
        self.meter = Meter(
            self.emit, self.watch, self.learning_rate, self.step, self.steps, len(self.batches)
        )
        self.emit(
            Started(
                run=str(self.folder) if self.folder else None,
                network_name=prepared.network.name,
                parameters=sum(
                    weights.numel() for weights in self.model.parameters() if weights.requires_grad
                ),
                device=str(prepared.device),
                threads=torch.get_num_threads(),
                epochs=self.recipe.epochs,
                steps_per_epoch=len(self.batches),
                batch_size=self.recipe.batch_size,
                train_images=len(prepared.train_rows),
                validation_images=len(prepared.validation),
                classes=prepared.classes,
                validation=prepared.validation_source,
                first_epoch=self.epochs_done + 1,
                steps_done=self.step,
                ranks=self.ranks.count,
            )
        )
        events, self.early_events = self.early_events or [], None
        for event in events:
            self.emit(event)

    def prepare_weights(self, images: Callable[[], Iterable[Tensor]]) -> None:
        """Before the first step: weights that are taken from images, and those of the run before."""
        found = self.inherited
        # Layers that take theirs from images need what stands above them, and may be kept themselves.
        self.model.load_state_dict(found.weights if found else {}, strict=False)
        self.model.prepare_weights(images)
        self.model.load_state_dict(found.weights if found else {}, strict=False)
        self.ranks.spread(self.model)
        self.learner.begin_average(self.steps)
        if found:
            self.learner.restore(found.memory)
            self._go_on_by_chance(found.random)

    def accelerate(self) -> None:
        """Takes the quickest way to the same steps. With several ranks all go the plain one."""
        left = self.steps - self.step
        if self.prepared.device.type in _WORTH_A_TRIAL and self.ranks.alone and left:
            images, labels = next(self.batches.epoch(self.epochs_done + 1))
            self.learner.forward = quickest(self.learner, images, labels, left)

    def _adopt(self, recipe: Recipe) -> None:
        """Takes another recipe for what is left of the run."""
        if recipe.augmentation != self.recipe.augmentation:
            self.batches = dataclasses.replace(self.prepared, recipe=recipe).batches(self.ranks.share)
        self.recipe = recipe
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.learner.adopt(recipe, self.steps)

    def change_to(self, recipe: Recipe) -> None:
        """The same while it runs or goes on; tells what changed."""
        changes = differences(self.recipe, recipe)
        if changes:
            self._adopt(recipe)
        for name, before, after in changes:
            self._say(Adjusted(self.step, self.step / len(self.batches), name, before, after))

    def warn(self, message: str) -> None:
        self._say(Warned(message))

    def _say(self, event: Event) -> None:
        """Says it now, or after Started where nothing has been said yet."""
        if self.early_events is None:
            self.emit(event)
        else:
            self.early_events.append(event)

    def _position(self) -> Position:
        batch = self.step - self.epochs_done * len(self.batches)
        return Position(
            self.epochs_done,
            batch,
            len(self.batches),
            self.watch.seconds,
            self.prepared.recipe,
            self.recipe,
            self.meter.sums,
            tuple(self.history),
        )

    def keep_epoch(self, validation: Scores) -> None:
        """Keeps the end of an epoch: in memory what is the best now, and on the disk where there is time."""
        best = self.keeper.judge(self.epochs_done, validation)
        if self.saving.has_time(self.watch.seconds):
            self._save(best=best)

    def keep_unfinished(self) -> None:
        """Saves where the run is, if that is not on the disk yet, and no weight is spoilt."""
        self.meter.flush()
        if not self.step or self.step == self.keeper.saved_step or not all_finite(self.model):
            return
        self._save()

    def _save(self, *, best: bool = False) -> None:
        began = time.perf_counter()
        self.keeper.save(self._position(), best=best)
        self.saving.saved(self.watch.seconds, time.perf_counter() - began)
