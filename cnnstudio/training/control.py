"""How others reach into a running training: stop, pause, and probes that look at the model. No torch here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from cnnstudio.training.model import Model


class Control:
    """Stop and pause, asked for from any thread; the training loop looks at every step."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.pause = threading.Event()

    def request_stop(self) -> None:
        """Ends the run after the step that it is in; a pause too."""
        self.stop.set()

    def request_pause(self) -> None:
        """Makes the run wait after the step that it is in."""
        self.pause.set()

    def request_resume(self) -> None:
        """Ends the pause."""
        self.pause.clear()

    def wait_if_paused(self, seconds: float) -> bool:
        """Waits up to `seconds` while paused; tells whether the pause goes on."""
        return self.pause.is_set() and not self.stop.wait(seconds) and self.pause.is_set()


class Probe(Protocol):
    """Looks into the model between two steps, such as for live feature maps.

    All three are called in the training thread, and `take` with the model in training mode, which it must
    leave as it found it. The trainer spaces the calls so that all probes together take at most about 2 % of
    the run's time.
    """

    kind: str
    """The `kind` of the SnapshotTaken events that carry what was seen."""

    def begin(self, pictures: np.ndarray) -> None:
        """The run starts; `pictures` are the examples, uint8 (N, C, H, W), as the network takes them."""

    def due(self, step: int, seconds: float) -> bool:
        """Whether there is something new to see; asked at every step, so it has to be quick."""

    def take(self, model: Model, device: torch.device) -> object | None:
        """What is to be seen now, as read-only numpy; None for nothing."""
