"""The training loop. It knows no window and no command line: it says everything through events."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training import reasons
from cnnstudio.training.adjusting import adjusted, continued, differences
from cnnstudio.training.checkpoint import restore_weights
from cnnstudio.training.control import Control, Probe
from cnnstudio.training.evaluation import mean_scores, past
from cnnstudio.training.events import (
    Adjusted,
    Cause,
    EpochEnded,
    Event,
    Finished,
    Outcome,
    Paused,
    Resumed,
    Scores,
    SnapshotTaken,
    Started,
    Warned,
)
from cnnstudio.training.inheritance import Ancestor, Inheritance, inherit
from cnnstudio.training.interval import DEFAULT, Clock, Interval
from cnnstudio.training.keeper import Keeper, Position, all_finite
from cnnstudio.training.learner import Learner
from cnnstudio.training.memory import give_back_memory, is_out_of_memory, keeping_freed_memory
from cnnstudio.training.meter import NOTHING, Meter, NotFiniteError, Stopwatch
from cnnstudio.training.model import Model
from cnnstudio.training.optimizers import set_learning_rate
from cnnstudio.training.preflight import Prepared, TrainingError, check_threads, prepare
from cnnstudio.training.recipe import Recipe, RecipeError
from cnnstudio.training.schedule import learning_rates
from cnnstudio.training.settings import own_settings, set_random_state

__all__ = ["Control", "Probe", "TrainingError", "train", "train_prepared"]

_PROBE_SHARE = 0.02
"""Of the run's time, at most, for all probes together."""

_PAUSE_TICK = 0.05
"""Seconds between two looks at the world while paused."""

_LAST_LOOK = 1.0
"""Seconds that a stopped run takes, at most, for the test pictures."""


class _Stopped(Exception):
    """The run was asked to stop."""


def train(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    *,
    device: str = "auto",
    threads: int | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None],
    folder: Path | None = None,
    probes: Sequence[Probe] = (),
    resume: bool = False,
) -> Finished:
    """Trains and gives the last event.

    Raises TrainingError, DeviceError, DataError or CheckpointError, with no event and nothing written, for
    what cannot be trained. Otherwise there is exactly one Finished, whatever happens. `folder` takes the
    checkpoints; with `resume` the run goes on from the last of them, with the same result as if it had not
    been interrupted (on the same machine).
    """
    prepared = prepare(network, dataset, recipe, device)
    return train_prepared(
        prepared, threads=threads, control=control, emit=emit, folder=folder, probes=probes, resume=resume
    )


def train_prepared(
    prepared: Prepared,
    *,
    threads: int | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None],
    folder: Path | None = None,
    probes: Sequence[Probe] = (),
    resume: bool = False,
    after_epoch: Callable[[int, Model], None] = lambda epoch, model: None,
    interval: Interval = DEFAULT,
    before_saving: Callable[[], None] = lambda: None,
    ancestor: Ancestor | None = None,
) -> Finished:
    """The same for what is prepared. `after_epoch` sees the model before the first and after each epoch.

    Besides the ends of epochs, checkpoints are written at the interval, at pauses and at a stop;
    `before_saving` is called each time, and may raise FileError where the folder cannot be written. A run
    with an `ancestor` goes on where that one stands, with the layers that did not change (`carry_over`).

    Raises, before any event, CheckpointError where it cannot resume and TrainingError where memory is short.
    """
    check_threads(threads)
    with own_settings(prepared.device, threads, prepared.recipe.seed), keeping_freed_memory():
        try:
            training = _Training(prepared, control or Control(), emit, folder, probes, after_epoch)
            training.keep_in(folder, interval, before_saving)
            if ancestor is not None:
                training.inherit(ancestor)
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise TrainingError(f"{prepared.device} has too little memory for this network.") from None
            raise
        if resume:
            training.restore()
        finished = training.run()
        if finished.cause == "memory":
            del training
            give_back_memory(prepared.device)
        return finished


class _Training:
    """One run from Started to Finished."""

    def __init__(
        self,
        prepared: Prepared,
        control: Control,
        emit: Callable[[Event], None],
        folder: Path | None,
        probes: Sequence[Probe],
        after_epoch: Callable[[int, Model], None],
    ) -> None:
        self.prepared = prepared
        self.recipe = recipe = prepared.recipe
        self.control = control
        self.emit = emit
        self.folder = folder
        self.probes = probes
        self.after_epoch = after_epoch
        self.model = prepared.fresh_model()
        self.learner = Learner(self.model, recipe)
        self.batches = prepared.batches()
        self.validation = prepared.unshuffled(prepared.validation)
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.keeper = Keeper(self.learner, None, self.warn)
        self.cause: Cause | None = None
        self.early_events: list[Event] | None = [Warned(message) for message in prepared.warnings]
        self.epochs_done = self.step = 0
        self.sums = NOTHING
        self.history: list[EpochEnded] = []
        self.inherited: Inheritance | None = None
        self.watch = Stopwatch()
        self.saving = Clock(Interval(), 0.0)
        self.probe_seconds = 0.0

    def keep_in(self, folder: Path | None, interval: Interval, before_saving: Callable[[], None]) -> None:
        """Has the run saved there."""
        if folder is not None:
            self.keeper = Keeper(self.learner, folder, self.warn, before_saving)
            self.saving = Clock(interval, self.watch.seconds)

    def restore(self) -> None:
        """Goes back to the last checkpoint in the folder. Raises CheckpointError."""
        found = self.keeper.restore(self.recipe, len(self.batches))
        if found is None:
            return
        position, memory = found
        self._go_to(position)
        self._adopt(position.recipe)
        self.learner.restore(memory)
        self._change_to(continued(position.asked, position.recipe, self.prepared.recipe))
        set_random_state(self.prepared.device, memory)

    def inherit(self, ancestor: Ancestor) -> None:
        """Goes on where another run stands, with what this design keeps of it."""
        self.inherited = found = inherit(ancestor, self.prepared, len(self.batches), self.warn)
        self._go_to(found.position)
        self.history = []
        self._say(found.told)
        self._change_to(found.recipe)

    def _go_to(self, position: Position) -> None:
        self.epochs_done, self.step, self.sums = position.epoch, position.step, position.sums
        self.history = list(position.history)
        self.watch = Stopwatch(position.seconds)
        self.saving = Clock(self.saving.interval, position.seconds)

    def _prepare_weights(self) -> None:
        """Before the first step: weights that are taken from pictures, and those of the run before."""
        found = self.inherited
        # Layers that take theirs from pictures need what stands above them, and may be kept themselves.
        self.model.load_state_dict(found.weights if found else {}, strict=False)
        self.model.prepare_weights(self._first_pictures)
        self.model.load_state_dict(found.weights if found else {}, strict=False)
        self.learner.begin_average(self.steps)
        if found:
            self.learner.restore(found.memory)
            set_random_state(self.prepared.device, found.random)
        self.after_epoch(self.epochs_done, self.model)
        self._keep_unfinished()

    def _adopt(self, recipe: Recipe) -> None:
        """Takes another recipe for what is left of the run."""
        if recipe.augmentation != self.recipe.augmentation:
            self.batches = dataclasses.replace(self.prepared, recipe=recipe).batches()
        self.recipe = recipe
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.learner.adopt(recipe, self.steps)

    def _change_to(self, recipe: Recipe) -> None:
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

    def run(self) -> Finished:
        outcome: Outcome = "failed"
        reason, test = "The run ended by an error in the program.", None
        try:
            self._start()
            outcome, reason = self._learn()
            test = self._test(outcome)
            if outcome == "completed" and test is None:
                outcome, reason = "stopped", "Stopped after the last epoch, before the test."
        except KeyboardInterrupt:
            outcome, reason = "stopped", "Interrupted from the keyboard."
        finally:
            self.keeper.keep_best()
            best = self.keeper.best
            run, best_epoch = str(self.folder) if self.folder else None, best.epoch if best else None
            seconds = self.watch.seconds
            finished = Finished(outcome, reason, test, seconds, run, best_epoch, self.cause)
            self.emit(finished)
        return finished

    def _start(self) -> None:
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
            )
        )
        events, self.early_events = self.early_events or [], None
        for event in events:
            self.emit(event)

    def _learn(self) -> tuple[Outcome, str]:
        """All epochs; how it ended, and why."""
        try:
            for probe in self.probes:
                probe.begin(self.prepared.examples.images)
            if not self.step or self.inherited:
                self._prepare_weights()
            return self._epochs()
        except _Stopped:
            with contextlib.suppress(NotFiniteError):
                self._keep_unfinished()
            return "stopped", self._stopped()
        except KeyboardInterrupt:
            # Wherever it was, so that what there is may be half a step.
            return "stopped", self._stopped()
        except NotFiniteError as error:
            self.cause = "not_finite"
            best, rate = self.keeper.best, self.recipe.learning_rate
            kept = best.epoch if best else None
            return "failed", reasons.not_finite(error.step, len(self.batches), rate, kept)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.cause = "memory"
            return "failed", reasons.out_of_memory(self.step + 1, self.recipe.batch_size)

    def _epochs(self) -> tuple[Outcome, str]:
        """All that are left, or as many as are wanted."""
        while self.epochs_done < self.recipe.epochs:
            idle, patience = self.keeper.epochs_without_better(self.epochs_done), self.recipe.patience
            if patience and idle >= patience:
                return "completed", reasons.ended_early(idle, self.epochs_done - idle)
            self._epoch(self.epochs_done + 1)
            if self.control.stop_after_epoch.is_set() and self.epochs_done < self.recipe.epochs:
                return "stopped", reasons.stopped_after_epoch(self.epochs_done, self.recipe.epochs)
        return "completed", reasons.completed(self.recipe.epochs)

    def _first_pictures(self) -> Iterator[Tensor]:
        """Training pictures for weights that are taken from them; not one more after a stop."""
        for images in self.prepared.first_pictures():
            if self.control.stop.is_set():
                raise _Stopped
            yield images

    def _epoch(self, epoch: int) -> None:
        self.meter.start_epoch(self.sums)
        self.sums = NOTHING
        self.model.train()
        self._look()
        self._batches_of(epoch)
        self.meter.flush()
        scores, rate = self.meter.epoch_scores(), self.meter.epoch_rate()
        with self.learner.averaged():
            validation = mean_scores(
                self.model, self.validation.epoch(0), self.control.stop.is_set, self.recipe.test_time_flip
            )
        if validation is None:
            raise _Stopped
        # A last step that went too far shows in the weights before it shows in a loss.
        if not math.isfinite(validation.loss) or not all_finite(self.model):
            raise NotFiniteError(self.step)
        best, seconds = self.keeper.is_best(epoch, validation), self.watch.seconds
        ended = EpochEnded(epoch, scores, validation, rate, self.meter.last_learning_rate(), seconds, best)
        self.emit(ended)
        self.meter.start_epoch()
        self.history.append(ended)
        self.epochs_done = epoch
        began = time.perf_counter()
        self.keeper.keep(epoch, validation, self._position())
        self.saving.saved(self.watch.seconds, time.perf_counter() - began)
        with self.learner.averaged():
            self.after_epoch(epoch, self.model)

    def _batches_of(self, epoch: int) -> None:
        """Learns from those that are left of the epoch."""
        first = (epoch - 1) * len(self.batches)
        while self.step < first + len(self.batches):
            batches = self.batches
            for images, labels in batches.epoch(epoch, self.step - first):
                self._step(images, labels)
                self._look()
                if self.batches is not batches:
                    # The pictures of the next batch are augmented in another way; their order stays.
                    break

    def _step(self, images: Tensor, labels: Tensor) -> None:
        if self.recipe.changes_rate:
            set_learning_rate(self.learner.optimizer, self.learning_rate(self.step))
        loss, right = self.learner.backward(images, labels)
        # Before the update: weights that a loss without a number would spoil are still whole.
        self.meter.add(loss, right, len(labels))
        self.learner.update()
        self.step += 1

    def _look(self) -> None:
        """What happens between two steps: stop, pause, progress, probes."""
        if self.control.pause.is_set():
            self._pause()
        if self.control.stop.is_set():
            raise _Stopped
        if self.control.has_changes:
            self._change()
        if self.meter.is_due:
            self.meter.flush()
        if self.saving.is_due(self.step, self.watch.seconds):
            self._keep_unfinished()
        if self.probes and self.probe_seconds <= _PROBE_SHARE * self.watch.seconds:
            self._probe()

    def _pause(self) -> None:
        if self.control.stop.is_set():
            return
        self.meter.flush()
        self.emit(Paused(self.step))
        self.watch.pause()
        self._keep_unfinished()
        while not self.control.single_step.is_set() and self.control.wait_if_paused(_PAUSE_TICK):
            self._probe()
            self._change()
        self.watch.resume()
        if self.control.single_step.is_set():
            # After it, the run waits again.
            self.control.single_step.clear()
        elif not self.control.stop.is_set():
            self.emit(Resumed(self.step))

    def _change(self) -> None:
        """Does what was asked for since the last time."""
        recipe = self.recipe
        for fields, more_epochs in self.control.changes():
            try:
                recipe = adjusted(recipe, fields, more_epochs)
            except RecipeError as error:
                self.warn(f"The run goes on as it was. {error}.")
        if recipe != self.recipe:
            self.meter.flush()
            self._change_to(recipe)
            self.meter.reschedule(self.learning_rate, self.steps)
            self.keeper.saved_step = -1
            self._keep_unfinished()

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

    def _keep_unfinished(self) -> None:
        """Saves where the run is, if that is somewhere new, and no weight is spoilt."""
        self.meter.flush()
        if not self.step or self.step == self.keeper.saved_step or not all_finite(self.model):
            return
        began = time.perf_counter()
        self.keeper.keep_unfinished(self._position())
        self.saving.saved(self.watch.seconds, time.perf_counter() - began)

    def _probe(self) -> None:
        began = time.perf_counter()
        for probe in self.probes:
            if probe.due(self.step, began):
                seen = probe.take(self.model, self.prepared.device)
                if seen is not None:
                    self.emit(SnapshotTaken(self.step, self.step / len(self.batches), probe.kind, seen))
        self.probe_seconds += time.perf_counter() - began

    def _stopped(self) -> str:
        """Where it stopped, in words."""
        with contextlib.suppress(NotFiniteError):
            self.meter.flush()
        return reasons.stopped(self.step, len(self.batches))

    def _test(self, outcome: Outcome) -> Scores | None:
        """The best weights on the test pictures; None where there is nothing to test, or no time."""
        best = self.keeper.best
        if best is None:
            return None
        if self.prepared.validation_source == "test":
            return best.scores
        restore_weights(self.model, best.weights)
        hurry = outcome == "stopped" and not self.control.stop_after_epoch.is_set()
        cancelled = past(time.monotonic() + _LAST_LOOK) if hurry else self.control.stop.is_set
        batches = self.prepared.unshuffled(self.prepared.test).epoch(0)
        return mean_scores(self.model, batches, cancelled, self.recipe.test_time_flip)
