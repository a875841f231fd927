"""Collects what every step gives, and says where the run is, not too often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from cnnstudio.training.events import Progress, Scores

INTERVAL = 0.05
"""Seconds between two Progress events, and between two readings from an accelerator, at least."""

_RATE_MEMORY = 2.0
"""Seconds over which images per second are smoothed."""

_ENOUGH_TO_JUDGE = 0.3
"""Seconds after which there is a guess of the time left."""


Sums = tuple[float, float, int]
"""Losses, right answers and images of an epoch, added up."""
NOTHING: Sums = (0.0, 0.0, 0)


class NotFiniteError(Exception):
    """The loss of `step`, counted from 1 over the whole run, is no number any more."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Stopwatch:
    """Seconds since it was made, pauses left out, on top of `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._began = time.perf_counter() - seconds
        self._paused_at: float | None = None

    @property
    def seconds(self) -> float:
        return (self._paused_at or time.perf_counter()) - self._began

    def pause(self) -> None:
        self._paused_at = time.perf_counter()

    def resume(self) -> None:
        if self._paused_at is not None:
            self._began += time.perf_counter() - self._paused_at
            self._paused_at = None


class Meter:
    """Losses and accuracies step by step, from `step` on; `emit` gets a Progress at every `flush`.

    On an accelerator they stay there until then, because each reading makes it wait.
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
        self._rate = 0.0
        self.start_epoch()

    def start_epoch(self, sums: Sums = NOTHING) -> None:
        """Starts the means of an epoch anew, or with what was learned of it before an interruption."""
        self._epoch_began = self._flushed = self._watch.seconds
        self._loss_sum, self._right_sum, self._epoch_images = sums
        self._images_before = self._epoch_images

    def add(self, loss: Tensor, right: Tensor, count: int) -> None:
        """One step's mean loss, and how many of its `count` images were right.

        Raises NotFiniteError: on the CPU at once, else at the next `flush`.
        """
        self.step += 1
        self._unread.append((loss.detach(), right, count))
        if loss.device.type == "cpu" and not math.isfinite(loss.item()):
            self.flush()

    @property
    def is_due(self) -> bool:
        """Whether the last Progress is long enough ago for the next one."""
        return self._watch.seconds - self._flushed >= INTERVAL

    def flush(self) -> None:
        """Reads what was added and emits it. Raises NotFiniteError after what came before the faulty step."""
        first = self.step - len(self._unread) + 1
        losses, accuracies, count = self._read()
        faulty = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if faulty is not None:
            self.step = first + faulty - 1
            losses, accuracies = losses[:faulty], accuracies[:faulty]
        if losses:
            self._emit(self._progress(first, losses, accuracies, count))
        if faulty is not None:
            raise NotFiniteError(first + faulty)

    def reschedule(self, learning_rate: Callable[[int], float], steps: int) -> None:
        """Another plan for what is left of the run."""
        self._learning_rate = learning_rate
        self._steps = steps

    @property
    def sums(self) -> Sums:
        """What was flushed since the epoch began; `start_epoch` takes it."""
        return self._loss_sum, self._right_sum, self._epoch_images

    def epoch_scores(self) -> Scores:
        """The means over what was flushed since the epoch began."""
        return Scores(self._loss_sum / self._epoch_images, self._right_sum / self._epoch_images)

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
        rights = torch.stack([right for _, right, _ in unread]).tolist()
        self._epoch_images += sum(counts)
        # One by one, so that the sums do not depend on how often they are read.
        for loss, right, count in zip(losses, rights, counts, strict=True):
            self._loss_sum += loss * count
            self._right_sum += right
        return losses, [right / count for right, count in zip(rights, counts, strict=True)], sum(counts)

    def last_learning_rate(self) -> float:
        """That of the last step."""
        return self._learning_rate(max(self.step - 1, 0))

    def _progress(self, first: int, losses: list[float], accuracies: list[float], count: int) -> Progress:
        now = self._watch.seconds
        passed = max(now - self._flushed, 1e-9)
        self._flushed = now
        share = 1.0 if not self._rate else 1 - math.exp(-passed / _RATE_MEMORY)
        self._rate += share * (count / passed - self._rate)
        first_step, began = self._began
        done, worked = self.step - first_step, now - began
        left = worked / done * (self._steps - self.step) if done and worked > _ENOUGH_TO_JUDGE else None
        return Progress(
            step=self.step,
            steps=self._steps,
            epoch=self.step / self._steps_per_epoch,
            losses=tuple(losses),
            accuracies=tuple(accuracies),
            first_step=first,
            images_per_second=self._rate,
            learning_rate=self.last_learning_rate(),
            seconds=now,
            seconds_left=left,
        )
