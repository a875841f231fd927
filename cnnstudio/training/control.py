"""How others reach into a running training: stop, pause, change, probes. No torch here."""

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
    """What the run is asked to do, from any thread; the training loop looks at every step."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.pause = threading.Event()
        self.stop_after_epoch = threading.Event()
        self.single_step = threading.Event()
        self._changes: deque[Mapping[str, Any]] = deque()

    def request_stop(self) -> None:
        """Ends the run after the step that it is in; a pause too."""
        self.stop.set()

    def request_pause(self) -> None:
        """Makes the run wait after the step that it is in."""
        self.pause.set()

    def request_resume(self) -> None:
        """Ends the pause."""
        self.pause.clear()

    def request_step(self) -> None:
        """Makes one step, and waits after it."""
        self.single_step.set()
        self.pause.set()

    def request_stop_after_epoch(self) -> None:
        """Ends the run after the epoch that it is in; a pause too."""
        self.stop_after_epoch.set()
        self.pause.clear()

    def request_change(self, **fields: Any) -> None:
        """Other values for fields of the recipe (`adjusting.ADJUSTABLE`), in force from the next step on."""
        self._changes.append(fields)

    @property
    def has_changes(self) -> bool:
        """Whether `changes` would give something; asked at every step, so it has to be quick."""
        return bool(self._changes)

    def changes(self) -> Iterator[Mapping[str, Any]]:
        """What was asked for since the last time, in its order."""
        while self._changes:
            yield self._changes.popleft()

    def wait_if_paused(self, seconds: float) -> bool:
        """Waits up to `seconds` while paused; tells whether the pause goes on."""
        return self.pause.is_set() and not self.stop.wait(seconds) and self.pause.is_set()


class Probe(Protocol):
    """Looks into the model between two steps, such as for live feature maps.

    All three are called in the training thread, and `take` with the model in training mode, which it must
    leave as it found it. The trainer spaces the calls so that all probes together take at most about 2% of
    the run's time.
    """

    kind: str
    """The `kind` of the SnapshotTaken events that carry what was seen."""

    def begin(self, images: np.ndarray) -> None:
        """The run starts; `images` are the examples, uint8 (N, C, H, W), as the network takes them."""

    def due(self, step: int, seconds: float) -> bool:
        """Whether there is something new to see; asked at every step, so it has to be quick."""

    def take(self, model: Model, device: torch.device) -> object | None:
        """What is to be seen now, as read-only numpy; None for nothing."""
