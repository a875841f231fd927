"""Collects the loss and accuracy of every step, and reports progress at most about 20 times a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from cnnstudio.training.events import Progress, Scores

INTERVAL = 0.05
"""Minimum seconds between two Progress events, and between two reads from an accelerator."""

_RATE_SMOOTHING_SECONDS = 2.0
"""Time constant of the exponential smoothing of images per second."""

_MIN_SECONDS_FOR_ESTIMATE = 0.3
"""Run time before the time left is estimated."""

EpochSums = tuple[float, float, int]
"""The sum of the losses, the number of correct predictions and the number of images in an epoch so far."""
NO_SUMS: EpochSums = (0.0, 0.0, 0)


class NotFiniteError(Exception):
    """The loss of `step`, counted from 1 over the whole run, is NaN or infinite."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Stopwatch:
    """Seconds since its creation, without pauses, plus `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._began = time.perf_counter() - seconds
        self._paused_at: float | None = None

    @property
    def seconds(self) -> float:
        return (self._paused_at or time.perf_counter()) - self._began

    def pause(self) -> None:
        self._paused_at = time.perf_counter()

    def resume(self) -> float:
        """Returns how long the pause was, in seconds."""
        if self._paused_at is None:
            return 0.0
        paused = time.perf_counter() - self._paused_at
        self._began += paused
        self._paused_at = None
        return paused


class Meter:
    """Losses and accuracies step by step, starting at `step`; each `flush` emits a Progress.

    On an accelerator the numbers stay on the device until then: reading one makes the host wait until the
    device has finished all queued work, so that it would idle at every step.
    """

    def __init__(
        self,
        emit: Callable[[Progress], None],
        watch: Stopwatch,
        learning_rate: Callable[[int], float],
        step: int,
        steps: int,
        steps_per_epoch: int,
    ) -> None:
        self.step = step
        self._emit = emit
        self._watch = watch
        self._learning_rate = learning_rate
        self._steps = steps
        self._steps_per_epoch = steps_per_epoch
        self._began = (step, watch.seconds)
        self._unread: list[tuple[Tensor, Tensor, int]] = []
        self.gradient_norm: Tensor | None = None
        """Of the last step that was measured, a scalar on its device; each Progress takes it."""
        self._images_per_second = 0.0
        self.start_epoch()

    def start_epoch(self, sums: EpochSums = NO_SUMS) -> None:
        """Starts an epoch's means, with the sums of the steps that were done before an interruption."""
        self._epoch_began = self._flushed = self._watch.seconds
        self._loss_sum, self._correct_sum, self._epoch_images = sums
        self._images_before = self._epoch_images

    def add(self, loss: Tensor, correct: Tensor, count: int) -> None:
        """Adds a step's mean loss, float (), and correct predictions, int64 or float32 (), of `count` images.

        Both stay on their device until `flush`, so their memory must not be reused before.

        Raises NotFiniteError: on the CPU at once, on an accelerator at the next `flush`.
        """
        self.step += 1
        self._unread.append((loss.detach(), correct, count))
        if loss.device.type == "cpu" and not math.isfinite(loss.item()):
            self.flush()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next Progress."""
        return self._watch.seconds - self._flushed >= INTERVAL

    def flush(self) -> None:
        """Reads what was added and emits it.

        Raises NotFiniteError if a loss is NaN or infinite, after emitting the steps before it.
        """
        first = self.step - len(self._unread) + 1
        losses, accuracies, count = self._read()
        bad = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if bad is not None:
            self.step = first + bad - 1
            losses, accuracies = losses[:bad], accuracies[:bad]
        if losses:
            self._emit(self._progress(first, losses, accuracies, count))
        if bad is not None:
            raise NotFiniteError(first + bad)

    def reschedule(self, learning_rate: Callable[[int], float], steps: int) -> None:
        """Sets a new learning rate schedule and number of steps for the rest of the run."""
        self._learning_rate = learning_rate
        self._steps = steps

    @property
    def sums(self) -> EpochSums:
        """Of what was flushed since the epoch began; `start_epoch` takes them."""
        return self._loss_sum, self._correct_sum, self._epoch_images

    def epoch_scores(self) -> Scores:
        """The means over what was flushed since the epoch began."""
        return Scores(self._loss_sum / self._epoch_images, self._correct_sum / self._epoch_images)

    def epoch_rate(self) -> float:
        """Images per second since the epoch began."""
        passed = max(self._watch.seconds - self._epoch_began, 1e-9)
        return (self._epoch_images - self._images_before) / passed

    def _read(self) -> tuple[list[float], list[float], int]:
        unread, self._unread = self._unread, []
        if not unread:
            return [], [], 0
        counts = [count for _, _, count in unread]
        losses = torch.stack([loss for loss, _, _ in unread]).tolist()
        corrects = torch.stack([correct for _, correct, _ in unread]).tolist()
        self._epoch_images += sum(counts)
        # One by one: floating-point sums depend on the grouping, and a resumed run must give the same ones
        # although it flushed at other steps.
        for loss, correct, count in zip(losses, corrects, counts, strict=True):
            self._loss_sum += loss * count
            self._correct_sum += correct
        accuracies = [correct / count for correct, count in zip(corrects, counts, strict=True)]
        return losses, accuracies, sum(counts)

    def last_learning_rate(self) -> float:
        """The learning rate of the last step."""
        return self._learning_rate(max(self.step - 1, 0))

    def _take_gradient_norm(self) -> float | None:
        tensor, self.gradient_norm = self.gradient_norm, None
        norm = math.inf if tensor is None else float(tensor)
        return norm if math.isfinite(norm) else None

    def _progress(self, first: int, losses: list[float], accuracies: list[float], count: int) -> Progress:
        now = self._watch.seconds
        passed = max(now - self._flushed, 1e-9)
        self._flushed = now
        weight = 1.0
        if self._images_per_second:
            weight = 1 - math.exp(-passed / _RATE_SMOOTHING_SECONDS)
        self._images_per_second += weight * (count / passed - self._images_per_second)
        first_step, began = self._began
        done, worked = self.step - first_step, now - began
        left = (
            worked / done * (self._steps - self.step) if done and worked > _MIN_SECONDS_FOR_ESTIMATE else None
        )
        return Progress(
            step=self.step,
            steps=self._steps,
            epoch=self.step / self._steps_per_epoch,
            losses=tuple(losses),
            accuracies=tuple(accuracies),
            first_step=first,
            images_per_second=self._images_per_second,
            learning_rate=self.last_learning_rate(),
            seconds=now,
            seconds_left=left,
            gradient_norm=self._take_gradient_norm(),
        )
