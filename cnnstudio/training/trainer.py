"""The training loop. It knows neither window nor command line: events tell everything that happens.

A run emits Started, then any other events, and in the end exactly one Finished, also when it fails: views,
run folder and command line rely on it to end. `_Training.execute` emits it in a `finally`, so it must not be
emitted anywhere else.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import Cancelled, ProgressFunction, ignore_progress
from cnnstudio.data.batches import Batches
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training import outcomes
from cnnstudio.training.checkpoints.manager import all_finite
from cnnstudio.training.checkpoints.save_schedule import DEFAULT_INTERVAL, SaveInterval
from cnnstudio.training.checkpoints.store import restore_weights
from cnnstudio.training.checkpoints.warm_start import ParentRun
from cnnstudio.training.control import BackgroundWork, Control, Probe
from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks, RanksError
from cnnstudio.training.distributed.sync import RankSync
from cnnstudio.training.evaluation import after_deadline, mean_scores
from cnnstudio.training.events import EpochEnded, Event, FailureCause, Finished, Outcome, Scores
from cnnstudio.training.hardware.adaptive_threads import AdaptiveThreads, ThreadRecord
from cnnstudio.training.hardware.device import translate_device_errors
from cnnstudio.training.hardware.device_memory import is_out_of_memory, retain_freed_memory
from cnnstudio.training.hardware.spare_threads import SpareThreads
from cnnstudio.training.hardware.torch_state import one_thread, seed_step, torch_settings
from cnnstudio.training.metrics import NO_SUMS, NotFiniteError
from cnnstudio.training.model import Model
from cnnstudio.training.optimization.optimizers import set_learning_rate
from cnnstudio.training.preflight.checks import TrainingError, validate_threads
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.run_state import RunState
from cnnstudio.training.step_hooks import SaveFailurePolicy, StepHooks, Stopped, UnsavedError
from cnnstudio.training.weight_change import WeightChange

_log = logging.getLogger(__name__)

__all__ = ["Control", "Probe", "TrainingError", "train", "train_prepared"]

_MAX_VALIDATION_LOGITS = 4_000_000
"""The most values that are kept for `after_validation`."""

_TEST_SECONDS_AFTER_STOP = 1.0
"""Time limit for the test images in a stopped run. If exceeded, Finished has no test scores."""


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
    """Trains, and returns the last event.

    Raises TrainingError, DeviceError, DataError or CheckpointError, before any event or file, if the training
    cannot start. After that there is exactly one Finished, whatever happens. `folder` is for the checkpoints.
    With `resume`, the run continues from the last of them, with the same result as without the interruption
    (on the same machine).
    """
    prepared = prepare(network, dataset, recipe, device)
    return train_prepared(
        prepared, threads=threads, control=control, emit=emit, folder=folder, probes=probes, resume=resume
    )


def train_prepared(
    prepared: PreparedTraining,
    *,
    threads: int | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None],
    folder: Path | None = None,
    probes: Sequence[Probe] = (),
    resume: bool = False,
    after_epoch: Callable[[int, Model], None] = lambda epoch, model: None,
    interval: SaveInterval = DEFAULT_INTERVAL,
    before_saving: Callable[[], None] = lambda: None,
    parent: ParentRun | None = None,
    ranks: Ranks = SINGLE_PROCESS,
    require_own: Callable[[Mapping[str, Any]], None] = lambda info: None,
    on_save_failure: SaveFailurePolicy = "warn",
    adapt_threads: ThreadRecord | None = None,
    after_validation: Callable[[Tensor], None] | None = None,
    background: BackgroundWork | None = None,
    progress: ProgressFunction = ignore_progress,
) -> Finished:
    """The same for a prepared training.

    `after_epoch` gets the model, with the weights that are evaluated, before the first epoch (as 0) and after
    each one. Checkpoints are written at epoch ends, at the `interval`, at pauses and at a stop;
    `before_saving` is called before each and may raise FileError. A `parent` is another run, whose position
    and fitting weights this one starts with (`plan_transfer`), also with `resume`. With several `ranks`, each
    calls this with its own arguments; only the first needs a folder. `require_own` is that of
    `CheckpointStore`.
    `adapt_threads` lets a single process that trains on the CPU use fewer threads while other programs are
    busy, after it has repeated the changes of that record. `after_validation` gets the logits of the
    validation images, float (N, classes) in their order, before `after_epoch`; of a single process only, and
    only if there are not too many to keep. `background` gets up to 28% of the time while it has work.
    `progress` is called while the locked beginning of a network is computed.

    Raises, before any event, CheckpointError if it cannot resume, TrainingError if memory is short, and
    DeviceError if the device fails; what happens later is in Finished.
    """
    validate_threads(threads)

    def run_to_the_end() -> Finished:
        run = ranks.run_on_all(lambda: _create_run_state(prepared, emit, folder, ranks))
        if folder is not None or not ranks.is_single_process:
            waits = on_save_failure in ("retry", "pause")
            run.save_to(folder, interval, before_saving, require_own, waits)
        if parent is not None:
            with _memory_errors(prepared.device):
                run.start_from(parent)
        elif resume:
            run.resume()
        hooks = after_epoch, after_validation
        training = _Training(run, control or Control(), probes, *hooks, on_save_failure, background, progress)
        if adapt_threads is not None and ranks.is_single_process and prepared.device.type == "cpu":
            training.threads = AdaptiveThreads(run, adapt_threads)
        else:
            run.threads = None
        return training.execute()

    with torch_settings(prepared.device, threads, prepared.recipe.seed), retain_freed_memory(prepared.device):
        # In a function of its own, so that model and optimizer are freed before the memory is returned.
        return run_to_the_end()


def _create_run_state(
    prepared: PreparedTraining, emit: Callable[[Event], None], folder: Path | None, ranks: Ranks
) -> RunState:
    with _memory_errors(prepared.device):
        return RunState(prepared, emit, folder, ranks)


@contextlib.contextmanager
def _memory_errors(device: torch.device) -> Iterator[None]:
    """Inside, running out of memory is a TrainingError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise TrainingError(f"{device} does not have enough memory for this network.") from None
        raise


class _Training:
    """One run from Started to Finished."""

    def __init__(
        self,
        run: RunState,
        control: Control,
        probes: Sequence[Probe],
        after_epoch: Callable[[int, Model], None],
        after_validation: Callable[[Tensor], None] | None,
        on_save_failure: SaveFailurePolicy,
        background: BackgroundWork | None,
        progress: ProgressFunction,
    ) -> None:
        self.run = run
        self.progress = progress
        self.sync = RankSync(run.ranks, control)
        self.control = self.sync.control
        self.after_epoch = after_epoch
        self.after_validation = after_validation
        self.on_save_failure = on_save_failure
        self.hooks = StepHooks(run, self.sync, probes, on_save_failure, background)
        self.threads: AdaptiveThreads | None = None
        """None for a fixed number."""
        self.spare_threads = SpareThreads()
        self.cause: FailureCause | None = None
        self.is_unsaved = False
        """Whether the run ended because its best weights could not be saved."""
        self.has_left = False
        """Whether this rank ended without the others, so that it must not start another collective."""

    def execute(self) -> Finished:
        run = self.run
        outcome: Outcome = "failed"
        # Stays if an exception that is not expected here passes through; `finally` still emits Finished.
        reason, test = "The run failed because of an unexpected error.", None
        try:
            with translate_device_errors(run.prepared.device):
                run.emit_started()
                if self.threads is not None:
                    self.threads.begin()
                outcome, reason = self._train()
                test = self._test(outcome)
            if outcome == "completed" and test is None:
                outcome, reason = (
                    "stopped",
                    "Stopped after the last epoch, before the evaluation on test images.",
                )
        except KeyboardInterrupt:
            outcome, reason = "stopped", "Interrupted from the keyboard."
        except RanksError as error:
            outcome, reason = "failed", str(error)
        except UserError as error:
            outcome, reason = "failed", str(error)
            self._leave(reason)
        finally:
            folder = str(run.folder) if run.folder else None
            finished = Finished("failed", reason, None, run.stopwatch.seconds, folder, None, self.cause)
            try:
                finished = self._finished(outcome, reason, test, folder)
            except Exception:
                # There is exactly one Finished, whatever fails on the way to it.
                _log.exception("Cannot finish the run properly")
            finally:
                run.emit(finished)
        return finished

    def _finished(self, outcome: Outcome, reason: str, test: Scores | None, folder: str | None) -> Finished:
        """The last event. Its figures belong to the best weights, so they count only if these are saved."""
        checkpoints = self.run.checkpoints
        best_epoch = checkpoints.best.epoch if checkpoints.best else None
        if test is not None and not (math.isfinite(test.loss) and math.isfinite(test.accuracy)):
            outcome, reason, test, self.cause = "failed", outcomes.test_not_finite(), None, "not_finite"
        if self.on_save_failure == "warn":
            checkpoints.save_best()
        elif best_epoch is not None and not checkpoints.confirm_best():
            on_disk = checkpoints.read_best_epoch()
            unsaved = outcomes.unsaved(best_epoch, checkpoints.unsaved_reason, on_disk)
            reason = unsaved if outcome == "completed" or self.is_unsaved else f"{reason} {unsaved}"
            outcome, test, best_epoch = "failed", None, on_disk
        return Finished(outcome, reason, test, self.run.stopwatch.seconds, folder, best_epoch, self.cause)

    def _train(self) -> tuple[Outcome, str]:
        """Trains all epochs; returns how that ended, and why."""
        run = self.run
        try:
            self.hooks.before_first_step()
            if not run.step or run.warm_start:
                run.initialize_weights(self._first_images)
                self._look_at_model(run.epochs_done)
                run.save_if_needed()
            run.use_features(self.progress, self.control.stop.is_set)
            run.try_compilation()
            ended = self._train_epochs()
            run.save_if_needed()
            self.hooks.wait_until_saved()
            return ended
        except (Stopped, Cancelled):
            # What was done is saved, unless the last losses turn out to be NaN.
            with contextlib.suppress(NotFiniteError):
                run.save_if_needed()
            return "stopped", self._describe_stop()
        except KeyboardInterrupt:
            # Not saved: it may have come in the middle of a step, with some weights updated and others not.
            self._leave("Another process of this training was interrupted.")
            return "stopped", self._describe_stop()
        except NotFiniteError as error:
            # All ranks get here at the same step, because they see the same summed loss: nobody has to leave.
            self.cause = "not_finite"
            best = run.checkpoints.best
            return "failed", outcomes.not_finite(
                error.step, len(run.batches), run.recipe.learning_rate, best.epoch if best else None
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.cause = "memory"
            reason = outcomes.out_of_memory(run.step + 1, run.recipe.batch_size)
            self._leave(reason)
            return "failed", reason
        except UnsavedError:
            self.is_unsaved = True
            raise
        except RanksError as error:
            self.has_left = True
            return "failed", str(error)

    def _leave(self, reason: str) -> None:
        """Ends without the other ranks. They fail at their next collective, and find the reason there."""
        self.has_left = not self.run.ranks.is_single_process
        self.run.ranks.post_failure(reason)

    def _train_epochs(self) -> tuple[Outcome, str]:
        """Trains the remaining epochs, or until early stopping or a requested stop after an epoch."""
        run = self.run
        # The number of epochs and the patience may change while the run trains.
        while run.epochs_done < run.recipe.epochs:
            done, patience = run.epochs_done, run.recipe.patience
            idle = run.checkpoints.epochs_without_improvement(done)
            if patience and idle >= patience:
                return "completed", outcomes.stopped_early(idle, done - idle)
            run.begin_stage(self.progress, self.control.stop.is_set)
            self._train_epoch(done + 1)
            if self.control.stop_after_epoch.is_set() and run.epochs_done < run.recipe.epochs:
                return "stopped", outcomes.stopped_after_epoch(run.epochs_done, run.recipe.epochs)
        return "completed", outcomes.completed(run.recipe.epochs)

    def _first_images(self) -> Iterator[Tensor]:
        """Training images for data-dependent initial weights. Raises Stopped between two batches of them."""
        for images in self.run.prepared.first_images():
            if self.control.stop.is_set():
                raise Stopped
            yield images

    def _train_epoch(self, epoch: int) -> None:
        run = self.run
        meter = run.meter
        # Of an epoch that was begun before an interruption, only the rest could be measured.
        weight_change = WeightChange(run.model) if run.sums == NO_SUMS else None
        meter.start_epoch(run.sums)
        run.sums = NO_SUMS
        if not run.model.training:  # as `after_epoch` may have left it
            run.model.train()
        # Before the first step too: a stop that came during the last evaluation must not cost a step.
        self.hooks.after_step()
        self._train_batches(epoch)
        meter.flush()
        scores, rate = meter.epoch_scores(), meter.epoch_rate()
        validation = self._validate()
        best, seconds = run.checkpoints.is_best(epoch, validation), run.stopwatch.seconds
        ended = EpochEnded(
            epoch,
            scores,
            validation,
            rate,
            meter.last_learning_rate(),
            seconds,
            best,
            weight_change.measure() if weight_change else None,
        )
        run.emit(ended)
        meter.start_epoch()
        # In this order: the position that is saved includes this epoch and its event.
        run.history.append(ended)
        run.epochs_done = epoch
        run.record_epoch(validation)
        self.hooks.wait_until_saved()
        with run.training_step.use_ema_weights():
            self._look_at_model(epoch)

    def _look_at_model(self, epoch: int) -> None:
        """Has `after_epoch` look, with one thread if the number may change and other programs are busy."""
        with nullcontext() if self.threads is None else self.spare_threads.applied():
            self.after_epoch(epoch, self.run.model)

    def _validate(self) -> Scores:
        """The scores on the validation images. Raises Stopped, and NotFiniteError for broken weights."""
        run = self.run
        logits: list[Tensor] = []
        values = len(run.prepared.validation) * len(run.prepared.classes)
        is_kept = (
            self.after_validation is not None
            and run.ranks.is_single_process
            and values <= _MAX_VALIDATION_LOGITS
        )
        with run.training_step.use_ema_weights(), one_thread(run.has_small_steps):
            validation = mean_scores(
                run.evaluated_model,
                run.validation.epoch(0),
                self.sync.requested.stop.is_set,
                run.flips_images,
                run.ranks,
                logits.append if is_kept else lambda _: None,
            )
        if validation is None:
            raise Stopped
        # An update that went too far shows in the weights, but in a loss only at the next step: without this
        # the epoch would count, and could be saved as the best.
        if not math.isfinite(validation.loss) or not all_finite(run.model):
            raise NotFiniteError(run.step)
        if self.after_validation is not None and logits:
            self.after_validation(torch.cat(logits))
        return validation

    def _train_batches(self, epoch: int) -> None:
        """Trains on the batches of the epoch that are left."""
        run = self.run
        first = (epoch - 1) * len(run.batches)
        while run.step < first + len(run.batches):
            is_small = run.has_small_steps
            with one_thread(is_small):
                self._train_on(run.batches, epoch, first, None if is_small else self.threads)

    def _train_on(self, batches: Batches, epoch: int, first: int, threads: AdaptiveThreads | None) -> None:
        """Trains on the batches that are left of the epoch, which began at step `first`."""
        run = self.run
        for images, labels in batches.epoch(epoch, run.step - first):
            began = time.perf_counter()
            self._train_step(images, labels, batches.global_batch_size(run.step - first))
            if threads is not None:
                threads.after_step(time.perf_counter() - began, len(labels))
            self.hooks.after_step()
            if run.batches is not batches:
                # The augmentation was changed: the next batch comes from the new object. The order of the
                # images in the epoch stays the same.
                break

    def _train_step(self, images: Tensor, labels: Tensor, count: int) -> None:
        """Trains on a batch of `count` images, or on this rank's shard of it."""
        run = self.run
        if not run.ranks.is_single_process:
            seed_step(run.recipe.seed, run.ranks.rank, run.step)
        if run.recipe.has_varying_rate:
            set_learning_rate(run.training_step.optimizer, run.learning_rate(run.step))
        loss, correct = run.training_step.backward(images, labels, count)
        # Before the update: if the loss is NaN, the weights are still intact.
        run.meter.add(loss, correct, count)
        # A pass over all gradients, which only the curve needs: once for each Progress.
        run.meter.gradient_norm = run.training_step.update(measures=run.meter.is_due)
        run.step += 1

    def _describe_stop(self) -> str:
        with contextlib.suppress(NotFiniteError):
            self.run.meter.flush()
        return outcomes.stopped(self.run.step, len(self.run.batches))

    def _test(self, outcome: Outcome) -> Scores | None:
        """The best weights' scores on the test images; None without such weights, or if there was no time."""
        run = self.run
        best = run.checkpoints.best
        # The evaluation ends in a collective, for which the others would not be there.
        if best is None or self.has_left:
            return None
        if run.prepared.validation_source == "test":
            return best.scores
        restore_weights(run.model, best.weights)
        if outcome == "stopped" and not self.control.stop_after_epoch.is_set():
            cancelled = after_deadline(time.monotonic() + _TEST_SECONDS_AFTER_STOP)
        else:
            cancelled = self.sync.requested.stop.is_set
        try:
            batches = run.test_batches().epoch(0)
        except Cancelled:
            return None
        with one_thread(run.has_small_steps):
            model = run.evaluated_model
            return mean_scores(model, batches, cancelled, run.flips_images, run.ranks)
