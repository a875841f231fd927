"""What a graphics card may gain by beside plain steps; a trial of a few steps decides, not faith.

torch.compile joins operations, and with CUDA graphs a step is one call instead of some hundred. Both take
long to prepare, so that only long runs gain. On a CPU they are not tried: torch.compile made the lesson's
step there a quarter to a third slower than it is, and took a minute to prepare.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from cnnstudio.training.hardware.torch_state import random_state, set_random_state
from cnnstudio.training.model import Model
from cnnstudio.training.train_step import Learner

Forward = Callable[[Tensor], Tensor]

WAYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"compiled": {}, "compiled, with CUDA graphs": {"mode": "reduce-overhead"}}
)
"""What is tried, with the arguments of torch.compile."""

_LONG_RUN = 120.0
"""Seconds of plain steps, below which compiling cannot pay."""

_WARM_UP, _TIMED = 3, 10
"""Steps of a trial."""


def compiled(model: Model, arguments: Mapping[str, Any]) -> Forward:
    """The model's forward pass by torch.compile, for batches of one size."""
    quick = torch.compile(model, dynamic=False, **arguments)

    def forward(images: Tensor) -> Tensor:
        # What the last step gave is not needed any more, so its memory can be written over.
        torch.compiler.cudagraph_mark_step_begin()
        logits: Tensor = quick(images)
        return logits

    return forward


def quickest(
    learner: Learner,
    images: Tensor,
    labels: Tensor,
    steps: int,
    *,
    compile: Callable[[Model, Mapping[str, Any]], Forward] = compiled,
    clock: Callable[[], float] = time.perf_counter,
) -> Forward:
    """The way to run the model forward by which so many steps are over soonest; the model itself, mostly.

    Tried on a copy, with a batch of the training; weights and random numbers are afterwards as before. A way
    that does not work on this machine is passed over.
    """
    state = random_state(images.device)
    try:
        return _quickest(learner, images, labels, steps, compile, clock)
    finally:
        set_random_state(images.device, state)


def _quickest(
    learner: Learner,
    images: Tensor,
    labels: Tensor,
    steps: int,
    compile: Callable[[Model, Mapping[str, Any]], Forward],
    clock: Callable[[], float],
) -> Forward:
    def seconds(arguments: Mapping[str, Any] | None) -> tuple[float, float]:
        """Until the steps run smoothly, and for each step from then on."""
        took, began = [], clock()
        trial = Learner(model, learner.recipe)
        if arguments is not None:
            trial.forward = compile(model, arguments)
        for count in (_WARM_UP, _TIMED):
            for _ in range(count):
                loss, _right = trial.backward(images, labels)
                trial.update()
            # Waits for the device.
            loss.item()
            took.append(clock() - began)
            began = clock()
        return took[0], took[1] / _TIMED

    model = copy.deepcopy(learner.model).train()
    best: Forward = learner.model
    least = steps * seconds(None)[1]
    if least < _LONG_RUN:
        return best
    for arguments in WAYS.values():
        try:
            preparing, each = seconds(arguments)
        except Exception:  # of torch.compile's many parts each has its own kind, and plain steps do without
            continue
        if preparing + steps * each < least:
            least = preparing + steps * each
            best = compile(learner.model, arguments)
    return best
