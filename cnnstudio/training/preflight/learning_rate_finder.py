"""Finds a learning rate for a network by a range test (`lr_range`), before the training.

The test trains temporary weights, with the initial values that the training would have, and restores the
random numbers: a training afterwards is as if it had not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from torch import Tensor

from cnnstudio.core.progress import CancelFunction, never_cancelled, raise_if_cancelled
from cnnstudio.training.hardware.device_memory import is_out_of_memory, retain_freed_memory
from cnnstudio.training.hardware.torch_state import torch_settings
from cnnstudio.training.optimization.optimizers import set_learning_rate
from cnnstudio.training.preflight.checks import TrainingError, validate_threads
from cnnstudio.training.preflight.lr_range import STEPS, LrRangeTest, rate_at, run_range_test
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.train_step import TrainingStep


def find_learning_rate(
    prepared: PreparedTraining,
    *,
    threads: int | None = None,
    steps: int = STEPS,
    on_step: Callable[[LrRangeTest], None] = lambda test: None,
    cancelled: CancelFunction = never_cancelled,
) -> LrRangeTest:
    """Runs the test with the recipe's optimizer, batches and augmentation; calls `on_step` after each step.

    Raises Cancelled, LrRangeTestError if the test has no result, and TrainingError if memory is short.
    """
    validate_threads(threads)
    with torch_settings(prepared.device, threads, prepared.recipe.seed), retain_freed_memory(prepared.device):
        try:
            return run_range_test(_losses(prepared, steps, cancelled), steps, on_step)
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise TrainingError(
                    f"{prepared.device} does not have enough memory for batches of "
                    f"{prepared.recipe.batch_size:,}: use smaller ones or more gradient accumulation."
                ) from None
            raise


def _losses(
    prepared: PreparedTraining, steps: int, cancelled: CancelFunction
) -> Iterator[tuple[float, float]]:
    """(learning rate, loss) of each step, which runs when it is requested."""
    training_step = TrainingStep(
        prepared.fresh_model(), prepared.recipe, class_weights=prepared.class_weights()
    )
    training_step.model.initialize_from_images(prepared.first_images)
    training_step.model.train()
    for step, (images, labels) in zip(range(steps), _endless_batches(prepared), strict=False):
        raise_if_cancelled(cancelled)
        rate = rate_at(step, steps)
        set_learning_rate(training_step.optimizer, rate)
        loss, _ = training_step.backward(images, labels)
        yield rate, loss.item()
        training_step.update()


def _endless_batches(prepared: PreparedTraining) -> Iterator[tuple[Tensor, Tensor]]:
    batches = prepared.batches()
    for epoch in count(1):
        yield from batches.epoch(epoch)
