"""The training loop. It knows no window and no command line: it says everything through events."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training import outcomes
from cnnstudio.training.checkpoints.manager import all_finite
from cnnstudio.training.checkpoints.save_schedule import DEFAULT, Interval
from cnnstudio.training.checkpoints.store import restore_weights
from cnnstudio.training.checkpoints.warm_start import Ancestor
from cnnstudio.training.control import Control, Probe
from cnnstudio.training.distributed.ranks import ALONE, Ranks, RanksError
from cnnstudio.training.distributed.sync import Agreement
from cnnstudio.training.evaluation import mean_scores, past
from cnnstudio.training.events import Cause, EpochEnded, Event, Finished, Outcome, Scores
from cnnstudio.training.hardware.device import naming_device_errors
from cnnstudio.training.hardware.device_memory import give_back_memory, is_out_of_memory, keeping_freed_memory
from cnnstudio.training.hardware.torch_state import own_settings, seed_step
from cnnstudio.training.metrics import NOTHING, NotFiniteError
from cnnstudio.training.model import Model
from cnnstudio.training.optimization.optimizers import set_learning_rate
from cnnstudio.training.preflight.prepare import Prepared, TrainingError, check_threads, prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.run_state import Course
from cnnstudio.training.step_hooks import BetweenSteps, Stopped

__all__ = ["Control", "Probe", "TrainingError", "train", "train_prepared"]

_LAST_LOOK = 1.0
"""Seconds that a stopped run takes, at most, for the test images."""


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
    ranks: Ranks = ALONE,
) -> Finished:
    """The same for what is prepared. `after_epoch` sees the model before the first and after each epoch.

    Besides the ends of epochs, checkpoints are written at the interval, at pauses and at a stop;
    `before_saving` is called each time, and may raise FileError where the folder cannot be written. A run
    with an `ancestor` goes on where that one stands, with the layers that did not change (`carry_over`).
    Several `ranks` call this together, each with what it has; only the first needs a folder.

    Raises, before any event, CheckpointError where it cannot resume, TrainingError where memory is short and
    DeviceError where the device fails; what happens later is told by Finished.
    """
    check_threads(threads)
    with own_settings(prepared.device, threads, prepared.recipe.seed), keeping_freed_memory():
        course = ranks.together(lambda: _course(prepared, emit, folder, ranks))
        if folder is not None or not ranks.alone:
            course.keep_in(folder, interval, before_saving)
        if ancestor is not None:
            with _enough_memory(prepared.device):
                course.inherit(ancestor)
        if resume:
            course.restore()
        finished = _Training(course, control or Control(), probes, after_epoch).run()
        if finished.cause == "memory":
            del course
            give_back_memory(prepared.device)
        return finished


def _course(prepared: Prepared, emit: Callable[[Event], None], folder: Path | None, ranks: Ranks) -> Course:
    with _enough_memory(prepared.device):
        return Course(prepared, emit, folder, ranks)


@contextlib.contextmanager
def _enough_memory(device: torch.device) -> Iterator[None]:
    """Inside, memory that runs out is a TrainingError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise TrainingError(f"{device} has too little memory for this network.") from None
        raise


class _Training:
    """One run from Started to Finished."""

    def __init__(
        self,
        course: Course,
        control: Control,
        probes: Sequence[Probe],
        after_epoch: Callable[[int, Model], None],
    ) -> None:
        self.course = course
        self.agreement = Agreement(course.ranks, control)
        self.control = self.agreement.control
        self.after_epoch = after_epoch
        self.between_steps = BetweenSteps(course, self.agreement, probes)
        self.cause: Cause | None = None
        self.has_left = False
        """Whether this rank has ended by itself, so that it cannot do anything with the others any more."""

    def run(self) -> Finished:
        course = self.course
        outcome: Outcome = "failed"
        reason, test = "The run ended by an error in the program.", None
        try:
            with naming_device_errors(course.prepared.device):
                course.start()
                outcome, reason = self._learn()
                test = self._test(outcome)
            if outcome == "completed" and test is None:
                outcome, reason = "stopped", "Stopped after the last epoch, before the test."
        except KeyboardInterrupt:
            outcome, reason = "stopped", "Interrupted from the keyboard."
        except RanksError as error:
            outcome, reason = "failed", str(error)
        except UserError as error:
            outcome, reason = "failed", str(error)
            self._leave(reason)
        finally:
            course.keeper.keep_best()
            best = course.keeper.best
            run, best_epoch = str(course.folder) if course.folder else None, best.epoch if best else None
            seconds = course.watch.seconds
            finished = Finished(outcome, reason, test, seconds, run, best_epoch, self.cause)
            course.emit(finished)
        return finished

    def _learn(self) -> tuple[Outcome, str]:
        """All epochs; how it ended, and why."""
        course = self.course
        try:
            self.between_steps.begin()
            if not course.step or course.inherited:
                course.prepare_weights(self._first_images)
                self.after_epoch(course.epochs_done, course.model)
                course.keep_unfinished()
            course.accelerate()
            ended = self._epochs()
            course.keep_unfinished()
            return ended
        except Stopped:
            with contextlib.suppress(NotFiniteError):
                course.keep_unfinished()
            return "stopped", self._stopped()
        except KeyboardInterrupt:
            # Wherever it was, so that what there is may be half a step.
            self._leave("Another process of this training was interrupted.")
            return "stopped", self._stopped()
        except NotFiniteError as error:
            self.cause = "not_finite"
            best, rate = course.keeper.best, course.recipe.learning_rate
            kept = best.epoch if best else None
            return "failed", outcomes.not_finite(error.step, len(course.batches), rate, kept)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.cause = "memory"
            reason = outcomes.out_of_memory(course.step + 1, course.recipe.batch_size)
            self._leave(reason)
            return "failed", reason
        except RanksError as error:
            self.has_left = True
            return "failed", str(error)

    def _leave(self, reason: str) -> None:
        """Ends apart from other ranks, which hear why."""
        self.has_left = not self.course.ranks.alone
        self.course.ranks.leave_word(reason)

    def _epochs(self) -> tuple[Outcome, str]:
        """All that are left, or as many as are wanted."""
        course = self.course
        while course.epochs_done < course.recipe.epochs:
            done, patience = course.epochs_done, course.recipe.patience
            idle = course.keeper.epochs_without_better(done)
            if patience and idle >= patience:
                return "completed", outcomes.ended_early(idle, done - idle)
            self._epoch(done + 1)
            if self.control.stop_after_epoch.is_set() and course.epochs_done < course.recipe.epochs:
                return "stopped", outcomes.stopped_after_epoch(course.epochs_done, course.recipe.epochs)
        return "completed", outcomes.completed(course.recipe.epochs)

    def _first_images(self) -> Iterator[Tensor]:
        """Training images for weights that are taken from them; not one more after a stop."""
        for images in self.course.prepared.first_images():
            if self.control.stop.is_set():
                raise Stopped
            yield images

    def _epoch(self, epoch: int) -> None:
        course = self.course
        meter = course.meter
        meter.start_epoch(course.sums)
        course.sums = NOTHING
        course.model.train()
        self.between_steps.look()
        self._batches_of(epoch)
        meter.flush()
        scores, rate = meter.epoch_scores(), meter.epoch_rate()
        validation = self._validate()
        best, seconds = course.keeper.is_best(epoch, validation), course.watch.seconds
        ended = EpochEnded(epoch, scores, validation, rate, meter.last_learning_rate(), seconds, best)
        course.emit(ended)
        meter.start_epoch()
        course.history.append(ended)
        course.epochs_done = epoch
        course.keep_epoch(validation)
        with course.learner.averaged():
            self.after_epoch(epoch, course.model)

    def _validate(self) -> Scores:
        """The scores on the validation images. Raises Stopped, and NotFiniteError for spoilt weights."""
        course = self.course
        with course.learner.averaged():
            validation = mean_scores(
                course.model,
                course.validation.epoch(0),
                self.agreement.requested.stop.is_set,
                course.recipe.test_time_flip,
                course.ranks,
            )
        if validation is None:
            raise Stopped
        # A last step that went too far shows in the weights before it shows in a loss.
        if not math.isfinite(validation.loss) or not all_finite(course.model):
            raise NotFiniteError(course.step)
        return validation

    def _batches_of(self, epoch: int) -> None:
        """Learns from those that are left of the epoch."""
        course = self.course
        first = (epoch - 1) * len(course.batches)
        while course.step < first + len(course.batches):
            batches = course.batches
            for images, labels in batches.epoch(epoch, course.step - first):
                self._step(images, labels, batches.size(course.step - first))
                self.between_steps.look()
                if course.batches is not batches:
                    # The images of the next batch are augmented in another way; their order stays.
                    break

    def _step(self, images: Tensor, labels: Tensor, count: int) -> None:
        """Learns from a batch of `count` images, or from this rank's share of it."""
        course = self.course
        if not course.ranks.alone:
            seed_step(course.recipe.seed, course.ranks.number, course.step)
        if course.recipe.changes_rate:
            set_learning_rate(course.learner.optimizer, course.learning_rate(course.step))
        loss, right = course.learner.backward(images, labels, count)
        # Before the update: weights that a loss without a number would spoil are still whole.
        course.meter.add(loss, right, count)
        course.learner.update()
        course.step += 1

    def _stopped(self) -> str:
        """Where it stopped, in words."""
        with contextlib.suppress(NotFiniteError):
            self.course.meter.flush()
        return outcomes.stopped(self.course.step, len(self.course.batches))

    def _test(self, outcome: Outcome) -> Scores | None:
        """The best weights on the test images; None where there is nothing to test, or no time."""
        course = self.course
        best = course.keeper.best
        if best is None or self.has_left:
            return None
        if course.prepared.validation_source == "test":
            return best.scores
        restore_weights(course.model, best.weights)
        hurry = outcome == "stopped" and not self.control.stop_after_epoch.is_set()
        cancelled = past(time.monotonic() + _LAST_LOOK) if hurry else self.agreement.requested.stop.is_set
        batches = course.prepared.unshuffled(course.prepared.test, course.ranks.share).epoch(0)
        return mean_scores(course.model, batches, cancelled, course.recipe.test_time_flip, course.ranks)
