"""Recorders of a training's events, and probes and requests for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Progress
from cnnstudio.training.model import Model

EventType = TypeVar("EventType", bound=Event)


class Listener:
    """Records the events, and can act on each of them."""

    def __init__(self, act: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self._act = act

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._act(event)

    def of(self, kind: type[EventType]) -> list[EventType]:
        return [event for event in self.events if isinstance(event, kind)]

    def losses(self) -> list[float]:
        return [loss for event in self.of(Progress) for loss in event.losses]


class FakeProbe:
    """A probe that is always due and captures the result of a function."""

    kind = "fake"

    def __init__(self, function: Callable[[Model], object] = lambda model: None) -> None:
        self.images: np.ndarray | None = None
        self.steps: list[int] = []
        self._function = function

    def begin(self, images: np.ndarray) -> None:
        self.images = images

    def is_due(self, step: int, seconds: float) -> bool:
        self.steps.append(step)
        return True

    def capture(self, model: Model, device: torch.device) -> object | None:
        return self._function(model)


def stop_at(
    control: Control, *, step: int | None = None, epoch: int | None = None
) -> Callable[[Event], None]:
    """Requests a stop once that step or epoch is reported."""

    def act(event: Event) -> None:
        if isinstance(event, Progress) and step is not None and event.step >= step:
            control.request_stop()
        if isinstance(event, EpochEnded) and event.epoch == epoch:
            control.request_stop()

    return act
