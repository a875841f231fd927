"""The training loop. It knows no window and no command line: it says everything through events."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training.checkpoint import restore_weights
from cnnstudio.training.control import Control, Probe
from cnnstudio.training.evaluation import mean_scores, past
from cnnstudio.training.events import (
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
from cnnstudio.training.keeper import Keeper, all_finite
from cnnstudio.training.learner import Learner
from cnnstudio.training.memory import is_out_of_memory, keeping_freed_memory
from cnnstudio.training.meter import Meter, NotFiniteError, Stopwatch
from cnnstudio.training.model import Model
from cnnstudio.training.optimizers import learning_rates, set_learning_rate
from cnnstudio.training.preflight import Prepared, TrainingError, check_threads, prepare
from cnnstudio.training.recipe import Recipe
from cnnstudio.training.settings import own_settings

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
    checkpoints; with `resume` the run goes on from the last epoch end in it, with the same result as if it
    had not been interrupted (on the same machine).
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
) -> Finished:
    """The same for what is prepared. `after_epoch` sees the model before the first and after each epoch.

    Raises, before any event, CheckpointError where it cannot resume and TrainingError where memory is short.
    """
    check_threads(threads)
    with own_settings(prepared.device, threads, prepared.recipe.seed), keeping_freed_memory():
        try:
            training = _Training(prepared, control or Control(), emit, folder, probes, after_epoch)
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise TrainingError(f"{prepared.device} has too little memory for this network.") from None
            raise
        if resume:
            training.restore()
        return training.run()


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
        self.optimizer = self.learner.optimizer
        self.batches = prepared.batches()
        self.validation = prepared.unshuffled(prepared.validation)
        self.steps = recipe.epochs * len(self.batches)
        self.learning_rate = learning_rates(recipe, self.steps)
        self.keeper = Keeper(self.model, self.optimizer, folder, self.warn)
        self.early_warnings: list[str] | None = list(prepared.warnings)
        self.first_epoch = 1
        self.step = 0
        self.watch = Stopwatch()
        self.probe_seconds = 0.0

    def restore(self) -> None:
        """Goes back to the last epoch end in the folder. Raises CheckpointError."""
        done, seconds = self.keeper.restore()
        self.first_epoch = done + 1
        self.step = done * len(self.batches)
        self.watch = Stopwatch(seconds)

    def warn(self, message: str) -> None:
        """Says it now, or after Started where nothing has been said yet."""
        if self.early_warnings is None:
            self.emit(Warned(message))
        else:
            self.early_warnings.append(message)

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
            best = self.keeper.best
            run, best_epoch = str(self.folder) if self.folder else None, best.epoch if best else None
            finished = Finished(outcome, reason, test, self.watch.seconds, run, best_epoch)
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
                first_epoch=self.first_epoch,
            )
        )
        warnings, self.early_warnings = self.early_warnings or [], None
        for message in warnings:
            self.warn(message)

    def _learn(self) -> tuple[Outcome, str]:
        """All epochs; how it ended, and why."""
        try:
            for probe in self.probes:
                probe.begin(self.prepared.examples.images)
            if self.first_epoch == 1:
                self.model.prepare_weights(self._first_pictures)
                self.after_epoch(0, self.model)
            for epoch in range(self.first_epoch, self.recipe.epochs + 1):
                self._epoch(epoch)
        except (_Stopped, KeyboardInterrupt):
            return "stopped", self._stopped()
        except NotFiniteError as error:
            return "failed", self._not_finite(error.step)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return "failed", (
                f"The memory ran out at step {self.step + 1:,}: take smaller batches than "
                f"{self.recipe.batch_size:,}, or fewer filters or units."
            )
        return "completed", f"All {self.recipe.epochs:,} epochs are done."

    def _first_pictures(self) -> Iterator[Tensor]:
        """Training pictures for weights that are taken from them; not one more after a stop."""
        for images in self.prepared.first_pictures():
            if self.control.stop.is_set():
                raise _Stopped
            yield images

    def _epoch(self, epoch: int) -> None:
        self.meter.start_epoch()
        self._look()
        self.model.train()
        for images, labels in self.batches.epoch(epoch):
            self._step(images, labels)
            self._look()
        self.meter.flush()
        scores, rate = self.meter.epoch_scores(), self.meter.epoch_rate()
        validation = mean_scores(self.model, self.validation.epoch(0), self.control.stop.is_set)
        if validation is None:
            raise _Stopped
        # A last step that went too far shows in the weights before it shows in a loss.
        if not math.isfinite(validation.loss) or not all_finite(self.model):
            raise NotFiniteError(self.step)
        best, seconds = self.keeper.is_best(epoch, validation), self.watch.seconds
        self.emit(EpochEnded(epoch, scores, validation, rate, self.meter.last_learning_rate(), seconds, best))
        self.keeper.keep(epoch, validation, seconds)
        self.after_epoch(epoch, self.model)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        if self.recipe.schedule != "constant":
            set_learning_rate(self.optimizer, self.learning_rate(self.step))
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
        if self.meter.is_due:
            self.meter.flush()
        if self.probes and self.probe_seconds <= _PROBE_SHARE * self.watch.seconds:
            self._probe()

    def _pause(self) -> None:
        if self.control.stop.is_set():
            return
        self.meter.flush()
        self.emit(Paused(self.step))
        self.watch.pause()
        while self.control.wait_if_paused(_PAUSE_TICK):
            self._probe()
        self.watch.resume()
        if not self.control.stop.is_set():
            self.emit(Resumed(self.step))

    def _probe(self) -> None:
        began = time.perf_counter()
        for probe in self.probes:
            if probe.due(self.step, began):
                seen = probe.take(self.model, self.prepared.device)
                if seen is not None:
                    self.emit(SnapshotTaken(self.step, self.step / len(self.batches), probe.kind, seen))
        self.probe_seconds += time.perf_counter() - began

    def _stopped(self) -> str:
        """Keeps what there is; where it stopped, in words."""
        with contextlib.suppress(NotFiniteError):
            self.meter.flush()
        if self.keeper.best is None and self.step and all_finite(self.model):
            self.keeper.keep_unfinished(self.watch.seconds)
        if not self.step:
            return "Stopped before the first step."
        epoch, batch = self._place(self.step)
        return f"Stopped in epoch {epoch:,} after batch {batch:,} of {len(self.batches):,}."

    def _not_finite(self, step: int) -> str:
        epoch, batch = self._place(step)
        best = self.keeper.best
        kept = f" The weights of epoch {best.epoch:,} are kept." if best else ""
        return (
            f"The loss is no number any more in epoch {epoch:,}, batch {batch:,} of {len(self.batches):,} "
            f"(step {step:,}): try a learning rate lower than {self.recipe.learning_rate:g}.{kept}"
        )

    def _place(self, step: int) -> tuple[int, int]:
        """Epoch and batch of a step, all counted from 1."""
        epoch, batch = divmod(step - 1, len(self.batches))
        return epoch + 1, batch + 1

    def _test(self, outcome: Outcome) -> Scores | None:
        """The best weights on the test pictures; None where there is nothing to test, or no time."""
        best = self.keeper.best
        if best is None:
            return None
        if self.prepared.validation_source == "test":
            return best.scores
        restore_weights(self.model, best.weights)
        hurry = outcome == "stopped"
        cancelled = past(time.monotonic() + _LAST_LOOK) if hurry else self.control.stop.is_set
        return mean_scores(self.model, self.prepared.unshuffled(self.prepared.test).epoch(0), cancelled)
