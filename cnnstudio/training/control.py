"""Requests to a running training, from any thread, and probes that look into it. Needs no torch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from cnnstudio.training.model import Model


class Control:
    """What the run is asked to do. Any thread may ask; the training loop checks after every step.

    Events, not callbacks: the loop decides when to act, always between two steps, where weights, optimizer
    and position belong to the same step.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.pause = threading.Event()
        self.stop_after_epoch = threading.Event()
        self.single_step = threading.Event()
        self._changes: deque[Mapping[str, Any]] = deque()

    def request_stop(self) -> None:
        """Ends the run after the current step; also ends a pause."""
        self.stop.set()

    def request_pause(self) -> None:
        """Pauses the run after the current step."""
        self.pause.set()

    def request_resume(self) -> None:
        """Ends the pause."""
        self.pause.clear()

    def request_step(self) -> None:
        """Runs one step and pauses after it."""
        self.single_step.set()
        self.pause.set()

    def request_stop_after_epoch(self) -> None:
        """Ends the run after the current epoch; also ends a pause."""
        self.stop_after_epoch.set()
        self.pause.clear()

    def request_change(self, **fields: Any) -> None:
        """Changes fields of the recipe (`live_changes.CHANGEABLE_WHILE_TRAINING`) from the next step on."""
        self._changes.append(fields)

    @property
    def has_changes(self) -> bool:
        """Whether `take_changes` has something. Called at every step, so it must be fast."""
        return bool(self._changes)

    def take_changes(self) -> Iterator[Mapping[str, Any]]:
        """The changes requested since the last call, in their order."""
        while self._changes:
            yield self._changes.popleft()

    def wait_if_paused(self, seconds: float) -> bool:
        """Waits up to `seconds` while paused; returns whether the run is still paused."""
        return self.pause.is_set() and not self.stop.wait(seconds) and self.pause.is_set()


class BackgroundWork(Protocol):
    """What the training thread does besides training, between two steps and while the run is paused.

    The methods are called in the training thread.
    """

    @property
    def is_pending(self) -> bool:
        """Whether there is something to do. Called at every step, so it must be fast."""

    def advance(self) -> None:
        """Does a slice of about 0.01 s. May compute with torch, but not with the model that is trained."""


class Probe(Protocol):
    """Looks into the model between two steps, for example for live feature maps.

    All methods are called in the training thread. The trainer spaces the calls of `capture` so that all
    probes together take at most about 2% of the run's time.
    """

    kind: str
    """The `kind` of the SnapshotTaken events that carry what was captured."""

    def begin(self, images: np.ndarray) -> None:
        """Called before the first step with the sample images, uint8 (N, C, H, W), of the input's size."""

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to capture after this step, at `seconds` of `time.perf_counter`. Must be fast."""

    def capture(self, model: Model, device: torch.device) -> object | None:
        """Read-only numpy arrays of what is to be seen now; None for nothing.

        The model comes in training mode and must be left as it was, hooks included.
        """
