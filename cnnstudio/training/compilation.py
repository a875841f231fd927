"""Compiles a model with torch.compile if a trial of a few steps shows that the run gets faster.

torch.compile fuses operations; with CUDA graphs a step is one launch instead of some hundred. Both take long
to prepare, so that only long runs gain. On a CPU they are not tried: there torch.compile made the lesson's
step a quarter to a third slower, and took a minute to prepare.
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
from cnnstudio.training.train_step import TrainingStep

ForwardFunction = Callable[[Tensor], Tensor]
"""Normalized images, float32 (N, C, H, W) -> logits, float (N, classes)."""

COMPILE_MODES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"compiled": {}, "compiled, with CUDA graphs": {"mode": "reduce-overhead"}}
)
"""The variants to try, with the arguments of torch.compile."""

_MIN_SECONDS = 120.0
"""Runs that take less time without compilation cannot gain by it."""

_WARM_UP_STEPS, _TIMED_STEPS = 3, 10


def compile_model(model: Model, arguments: Mapping[str, Any]) -> ForwardFunction:
    """The model's forward pass compiled by torch.compile, for batches of one size.

    `arguments` are those of torch.compile. With CUDA graphs, each call overwrites the logits of the last.
    """
    compiled = torch.compile(model, dynamic=False, **arguments)

    def forward(images: Tensor) -> Tensor:
        # The outputs of the last step are no longer needed: CUDA graphs may reuse their memory.
        torch.compiler.cudagraph_mark_step_begin()
        logits: Tensor = compiled(images)
        return logits

    return forward


def compile_if_faster(
    training_step: TrainingStep,
    images: Tensor,
    labels: Tensor,
    steps: int,
    *,
    compile: Callable[[Model, Mapping[str, Any]], ForwardFunction] = compile_model,
    clock: Callable[[], float] = time.perf_counter,
) -> ForwardFunction:
    """The forward function with which `steps` steps take the least time, preparation included.

    Mostly that is the model itself. The trial uses a copy of the model and the given batch: images, float32
    (N, C, H, W) and normalized, and labels, int64 (N,) or float32 (N, classes). Weights and random numbers
    are as before afterwards. A variant that does not work on this machine is skipped. `clock` counts seconds.
    """
    state = random_state(images.device)
    try:
        return _fastest(training_step, images, labels, steps, compile, clock)
    finally:
        set_random_state(images.device, state)


def _fastest(
    training_step: TrainingStep,
    images: Tensor,
    labels: Tensor,
    steps: int,
    compile: Callable[[Model, Mapping[str, Any]], ForwardFunction],
    clock: Callable[[], float],
) -> ForwardFunction:
    def seconds(arguments: Mapping[str, Any] | None) -> tuple[float, float]:
        """Seconds of preparation and warm-up, and seconds per step after that."""
        took, began = [], clock()
        trial = TrainingStep(model, training_step.recipe, class_weights=training_step.class_weights)
        if arguments is not None:
            trial.forward = compile(model, arguments)
        for count in (_WARM_UP_STEPS, _TIMED_STEPS):
            for _ in range(count):
                loss, _correct = trial.backward(images, labels)
                trial.update()
            # Waits until the device has finished.
            loss.item()
            took.append(clock() - began)
            began = clock()
        return took[0], took[1] / _TIMED_STEPS

    model = copy.deepcopy(training_step.model).train()
    best: ForwardFunction = training_step.model
    least = steps * seconds(None)[1]
    if least < _MIN_SECONDS:
        return best
    for arguments in COMPILE_MODES.values():
        try:
            preparing, each = seconds(arguments)
        except Exception:  # torch.compile raises many types; the run continues without it
            continue
        if preparing + steps * each < least:
            least = preparing + steps * each
            best = compile(training_step.model, arguments)
    return best
