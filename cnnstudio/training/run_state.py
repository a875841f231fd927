"""The state of a run: what it trains, where it stands, and how that is saved, restored and changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.batches import Batches
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Node
from cnnstudio.training.checkpoints.manager import CheckpointManager, all_finite
from cnnstudio.training.checkpoints.position import Position
from cnnstudio.training.checkpoints.save_schedule import SaveInterval, SaveSchedule
from cnnstudio.training.checkpoints.store import CheckpointError
from cnnstudio.training.checkpoints.warm_start import ParentRun, WarmStart, load_warm_start
from cnnstudio.training.compilation import compile_if_faster
from cnnstudio.training.distributed.ranks import Ranks
from cnnstudio.training.distributed.sync_batch_norm import convert_sync_batch_norm
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    LayersUnlocked,
    RecipeChanged,
    Scores,
    Started,
    Warned,
    WeightsLoaded,
)
from cnnstudio.training.frozen.features import FrozenFeatures, can_use_features
from cnnstudio.training.frozen.frozen_part import frozen_length
from cnnstudio.training.frozen.store import NotKept
from cnnstudio.training.hardware.torch_state import set_random_state
from cnnstudio.training.metrics import NO_SUMS, Meter, Stopwatch
from cnnstudio.training.optimization.schedule import learning_rates
from cnnstudio.training.preflight.checks import check_batch_normalization, final_network
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.pretrained.random_locks import describe_random_locks
from cnnstudio.training.recipe.live_changes import differences, resumed_recipe
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep

_COMPILING_DEVICES = frozenset({"cuda"})
"""Device types on which compilation is tried."""


class _Outbox:
    """Emits a run's events. Those from before Started, which has to be the first, wait for it.

    An object of its own, so that who only warns need not refer to the whole run: in a cycle, a run that has
    ended would keep its memory until the next garbage collection.
    """

    def __init__(self, emit: Callable[[Event], None], warnings: Iterable[str]) -> None:
        self._emit = emit
        self._waiting: list[Event] | None = [Warned(message) for message in warnings]
        """None once Started was emitted."""

    def put(self, event: Event) -> None:
        if self._waiting is None:
            self._emit(event)
        else:
            self._waiting.append(event)

    def warn(self, message: str, about: str | None = None) -> None:
        self.put(Warned(message, about))

    def start(self, started: Started, *following: Event) -> None:
        """Emits Started, the events that follow it, and then those that waited."""
        self._emit(started)
        for event in following:
            self._emit(event)
        events, self._waiting = self._waiting or [], None
        for event in events:
            self._emit(event)


def count_trainable(model: nn.Module) -> int:
    """The number of weights that learn."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


class RunState:
    """Everything that a run consists of. The training loop advances it; step hooks save and change it.

    The order of use: at most one of `resume` and `start_from`, then `emit_started`, then `initialize_weights`
    if no step was made with these weights yet.
    """

    def __init__(
        self, prepared: PreparedTraining, emit: Callable[[Event], None], folder: Path | None, ranks: Ranks
    ) -> None:
        self.prepared = prepared
        self.recipe = recipe = prepared.recipe
        self.emit = emit
        self._outbox = _Outbox(emit, prepared.warnings)
        self.warn = self._outbox.warn
        self.folder = folder
        self.ranks = ranks
        self.model = prepared.fresh_model()
        # Before the training step: the optimizer must see the final modules.
        convert_sync_batch_norm(self.model, ranks)
        self.training_step = TrainingStep(self.model, recipe, ranks, prepared.class_weights())
        self.batches = prepared.batches(ranks.shard)
        self.validation = prepared.unshuffled(prepared.validation, ranks.shard)
        self.steps = recipe.epochs * len(self.batches)
        """Of the whole run."""
        self.learning_rate = learning_rates(recipe, self.steps)
        self.checkpoints = CheckpointManager(self.training_step, None, self.warn, len(prepared.validation))
        self.epochs_done = self.step = 0
        self.sums = NO_SUMS
        """Of the epoch in which the run resumes."""
        self.history: list[EpochEnded] = []
        self.warm_start: WarmStart | None = None
        self.may_use_features = True
        """False once the augmentation was changed in the middle: from there each epoch augments anew."""
        self.features: FrozenFeatures | None = None
        """What the locked beginning of the network gives for the images, if that is used in their place."""
        self.is_unlocked = False
        """Whether the second stage has begun."""
        self.threads: int | None = None
        """CPU threads for the next step, if their number may change; saved with the position."""
        self.stopwatch = Stopwatch()
        self.save_schedule = SaveSchedule(SaveInterval(), 0.0)

    def save_to(
        self,
        folder: Path | None,
        interval: SaveInterval,
        before_saving: Callable[[], None],
        require_own: Callable[[Mapping[str, Any]], None] = lambda info: None,
        waits_for_best: bool = False,
    ) -> None:
        """Saves checkpoints in the folder, which only the first of several ranks has.

        The others need the interval too, to stop for a save at the same step as the first. `require_own`
        is that of `CheckpointStore`, `waits_for_best` that of `CheckpointManager`.
        """
        self.checkpoints = CheckpointManager(
            self.training_step,
            folder,
            self.warn,
            len(self.prepared.validation),
            before_saving,
            require_own,
            waits_for_best,
        )
        self.save_schedule = SaveSchedule(interval, self.stopwatch.seconds)

    def resume(self) -> None:
        """Restores the last checkpoint in the folder, if there is one.

        Raises CheckpointError or TrainingError.

        Only the first rank reads the disk, which the others may not share; they get everything by broadcast.
        """
        restored, manager_state = self.ranks.broadcast_result(
            lambda: (self.checkpoints.restore(self.recipe, len(self.batches)), self.checkpoints.state())
        )
        if restored is None:
            self.warn("The run has no checkpoint to resume from, so it starts again with its first epoch.")
            return
        self.checkpoints.set_state(manager_state)
        self.ranks.broadcast_weights(self.model)
        position, state = restored
        self._set_position(position)
        recipe = resumed_recipe(position.original_recipe, position.recipe, self.prepared.recipe)
        self._keep_statistics(position.kept_statistics, recipe)
        # Before the optimizer is made for the recipe: its state is of the weights that train. A run that
        # ended right before its second stage begins it later.
        if self.step > position.recipe.unlock_after * len(self.batches):
            self._unlock(position.recipe)
        self.threads = position.threads
        # The recipe as it was first, because the optimizer's state belongs to it; then the changes that were
        # requested for resuming, which are reported.
        self._apply_recipe(position.recipe)
        self.may_use_features = position.recipe.augmentation == position.original_recipe.augmentation
        self.training_step.load_state_dict(state)
        self.change_recipe(recipe)
        # Last, so that nothing draws from the restored random numbers before the next step does.
        # Empty for the best weights alone: then the random numbers are those of a new run.
        if state:
            self._restore_random_state(state)

    def start_from(self, parent: ParentRun) -> None:
        """Starts where another run stands, with the weights that fit (loaded by `initialize_weights`).

        Raises CheckpointError or TrainingError.
        """
        self.warm_start = found = self.ranks.broadcast_result(
            lambda: load_warm_start(parent, self.prepared, len(self.batches), self.warn)
        )
        self._set_position(found.position)
        self._keep_statistics(found.kept_statistics, found.recipe)
        if self._unlock(self.recipe):
            self.training_step.include_unlocked()
        # The parent's epochs are not this run's.
        self.history = []
        self._outbox.put(found.event)
        network = final_network(self.prepared.network, found.recipe)
        stays_random = (
            describe_random_locks(analyze(network), found.event.fresh) if network.locked_ids else ""
        )
        if stays_random:
            self.warn(stays_random)
        self.change_recipe(found.recipe)

    def _keep_statistics(self, names: Collection[str], recipe: Recipe) -> None:
        """Raises TrainingError if another normalization would see a single image at a time."""
        self.model.keep_statistics(names)
        check_batch_normalization(self.prepared.network, recipe, names)

    def _set_position(self, position: Position) -> None:
        self.epochs_done, self.step, self.sums = position.epoch, position.step, position.sums
        self.history = list(position.history)
        self.stopwatch = Stopwatch(position.seconds)
        self.save_schedule = SaveSchedule(self.save_schedule.interval, position.seconds)

    def _restore_random_state(self, state: dict[str, Tensor]) -> None:
        """Continues the random numbers of a checkpoint. Raises CheckpointError."""
        try:
            set_random_state(self.prepared.device, state)
        except (KeyError, RuntimeError, TypeError):
            raise CheckpointError(
                "Cannot resume from this checkpoint: its random number state does not fit this version of "
                f"PyTorch ({torch.__version__})."
            ) from None

    def emit_started(self) -> None:
        """Emits Started and then the events that were queued before it."""
        prepared = self.prepared
        self.meter = Meter(
            self.emit, self.stopwatch, self.learning_rate, self.step, self.steps, len(self.batches)
        )
        start = prepared.start_weights
        loaded = (
            [WeightsLoaded(start.source, start.kept, start.fresh, start.lines, start.notice)]
            if start is not None and not self.step
            else []
        )
        self._outbox.start(
            Started(
                run=str(self.folder) if self.folder else None,
                network_name=prepared.network.name,
                parameters=count_trainable(self.model),
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
                ranks=self.ranks.world_size,
                resize=None if prepared.resize == "fill" else prepared.resize,
            ),
            *loaded,
        )
        # What a resumed run has diagnosed before its first step is in its log.
        for event in prepared.diagnosed if not self.step or self.warm_start else ():
            self.emit(event)

    def initialize_weights(self, images: Callable[[], Iterable[Tensor]]) -> None:
        """Before the first step: the weights that are computed from images, and those of the parent run.

        `images` gives normalized training images (N, C, H, W), the same on each call.
        """
        found, start = self.warm_start, self.prepared.start_weights
        # The start weights are in the model since it was made.
        if found:
            self.model.load_state_dict(found.weights, strict=False)
        # Data-dependent layers, such as Whitening, see the images through the layers above them, which must
        # have their weights by then; but they may also have start weights themselves.
        if self.model.initialize_from_images(images):
            known = found.weights if found else start.weights if start else {}
            self.model.load_state_dict(known, strict=False)
        # Each rank has drawn its own initial weights; from here on they must be the same.
        self.ranks.broadcast_weights(self.model)
        self.training_step.start_ema(self.steps)
        if found:
            self.training_step.load_state_dict(found.training_state)
            self._restore_random_state(found.random_state)

    def begin_stage(self, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        """Between two epochs: begins the second stage if it is due. Raises Cancelled."""
        unlocked = self._unlock(self.recipe)
        if not unlocked:
            return
        self.training_step.include_unlocked()
        self._use_images()
        self.use_features(progress, cancelled)
        # Only now: a run that is stopped meanwhile begins the stage when it resumes, and says so then.
        self.emit(
            LayersUnlocked(
                self.step,
                float(self.epochs_done),
                tuple(node.id for node in unlocked),
                tuple(node.title for node in unlocked),
                count_trainable(self.model),
            )
        )

    def _unlock(self, recipe: Recipe) -> list[Node]:
        """What is unlocked because the second stage begins, from top to bottom; nothing if it has begun."""
        if not recipe.unlocks or self.epochs_done < recipe.unlock_after or self.is_unlocked:
            return []
        self.is_unlocked = True
        nodes = self.model.last_locked(recipe.unlock_groups)
        self.model.unlock([node.id for node in nodes])
        return nodes

    def use_features(self, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        """Computes the locked beginning of the network once for all images, if it has one. Raises Cancelled.

        Not with several ranks, each of which has its own disk. They compute it with each step, without its
        gradients.
        """
        if not self.may_use_features:
            return
        if not self.ranks.is_single_process:
            if not self.step and can_use_features(self.recipe) and frozen_length(self.model):
                self.warn(
                    "With several processes, the locked layers are computed again in every step, because "
                    "their results are not kept: one process may be faster."
                )
            return
        prepared = dataclasses.replace(self.prepared, recipe=self.recipe)
        try:
            features = FrozenFeatures.of(prepared, self.model, progress, cancelled)
            if features is None:
                return
            batches, validation = features.train_batches(), features.unshuffled(prepared.validation)
        except NotKept as error:
            self.warn(f"{error} They are computed again in every step, which takes longer.")
            return
        self.batches, self.validation = batches, validation
        self.training_step.forward = features.rest
        self.features = features

    @property
    def evaluated_model(self) -> nn.Module:
        """The module that takes what `validation` and `test_batches` give."""
        return self.features.evaluated if self.features is not None else self.model

    @property
    def flips_images(self) -> bool:
        """Whether an evaluation has to mirror what it gets: features bring those of the mirror images."""
        return self.recipe.test_time_flip and self.features is None

    @property
    def has_small_steps(self) -> bool:
        """Whether a step is too small to be shared between threads of the CPU."""
        is_on_cpu = self.prepared.device.type == "cpu"
        features = self.features
        return is_on_cpu and features is not None and features.are_steps_small(self.recipe.batch_size)

    def test_batches(self) -> Batches:
        """The test images, or this rank's shard of them. Raises Cancelled."""
        if self.features is not None:
            try:
                return self.features.unshuffled(self.prepared.test)
            except NotKept:
                self._use_images()
        return self.prepared.unshuffled(self.prepared.test, self.ranks.shard)

    def try_compilation(self) -> None:
        """Compiles the model if that makes the remaining steps faster.

        Never with several ranks: each would measure and decide by itself, while the batch statistics of the
        trial steps are collectives that need all ranks.
        """
        left = self.steps - self.step
        if self.features is not None:
            return  # little is left to compute
        if self.prepared.device.type in _COMPILING_DEVICES and self.ranks.is_single_process and left:
            images, labels = next(self.batches.epoch(self.epochs_done + 1))
            self.training_step.forward = compile_if_faster(self.training_step, images, labels, left)

    def change_recipe(self, recipe: Recipe) -> None:
        """Uses another recipe for the rest of the run, and emits what changed."""
        changes = differences(self.recipe, recipe)
        if changes:
            self._apply_recipe(recipe)
        for name, before, after in changes:
            self._outbox.put(RecipeChanged(self.step, self.step / len(self.batches), name, before, after))

    def _apply_recipe(self, recipe: Recipe) -> None:
        if recipe.augmentation != self.recipe.augmentation:
            # From here on each epoch augments anew, so that the features of before are no longer true.
            self._use_images(recipe)
        self.recipe = recipe
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.training_step.change_recipe(recipe, self.steps)

    def _use_images(self, recipe: Recipe | None = None) -> None:
        """Images, augmented as the recipe says, in place of features."""
        prepared = dataclasses.replace(self.prepared, recipe=recipe or self.recipe)
        self.batches = prepared.batches(self.ranks.shard)
        if self.features is not None:
            self.features = None
            self.validation = prepared.unshuffled(prepared.validation, self.ranks.shard)
            self.training_step.forward = self.model

    def _position(self) -> Position:
        batch = self.step - self.epochs_done * len(self.batches)
        return Position(
            self.epochs_done,
            batch,
            len(self.batches),
            self.stopwatch.seconds,
            self.prepared.recipe,
            self.recipe,
            self.meter.sums,
            tuple(self.history),
            self.threads,
            self.model.kept_statistics,
        )

    def record_epoch(self, validation: Scores) -> None:
        """Keeps the weights in memory if they are the best; saves if there is time for that."""
        best = self.checkpoints.record_epoch(self.epochs_done, validation, self._position())
        if self.save_schedule.is_within_budget(self.stopwatch.seconds):
            self._save(best=best)

    def save_if_needed(self) -> None:
        """Saves this step, unless it is saved already or a weight is NaN or infinite.

        Raises NotFiniteError if the loss of a step since the last flush is.
        """
        self.meter.flush()
        if not self.step or self.step == self.checkpoints.saved_step or not all_finite(self.model):
            return
        self._save()

    def _save(self, *, best: bool = False) -> None:
        began = time.perf_counter()
        self.checkpoints.save(self._position(), best=best)
        self.save_schedule.record_save(self.stopwatch.seconds, time.perf_counter() - began)
