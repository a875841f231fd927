"""Which learning rate suits a network: a range test (`rate_test`), before the training.

The test learns on weights of its own, which begin as the training's would, and it leaves the random numbers
where they were: a training that follows is the same as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from torch import Tensor

from cnnstudio.core.progress import CancelFunction, check, never
from cnnstudio.training.hardware.device_memory import is_out_of_memory, keeping_freed_memory
from cnnstudio.training.hardware.torch_state import own_settings
from cnnstudio.training.optimization.optimizers import set_learning_rate
from cnnstudio.training.preflight.lr_range import STEPS, RateTest, range_test, rate_at
from cnnstudio.training.preflight.prepare import Prepared, TrainingError, check_threads
from cnnstudio.training.train_step import Learner


def find_learning_rate(
    prepared: Prepared,
    *,
    threads: int | None = None,
    steps: int = STEPS,
    tell: Callable[[RateTest], None] = lambda test: None,
    cancelled: CancelFunction = never,
) -> RateTest:
    """Makes the test with the recipe's optimizer, batches and augmentation. `tell` hears of every step.

    Raises Cancelled, RateTestError where the test tells nothing, and TrainingError where memory is short.
    """
    check_threads(threads)
    with own_settings(prepared.device, threads, prepared.recipe.seed), keeping_freed_memory():
        try:
            return range_test(_losses(prepared, steps, cancelled), steps, tell)
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise TrainingError(
                    f"{prepared.device} has too little memory for batches of "
                    f"{prepared.recipe.batch_size:,}: compute each in more parts (accumulate)."
                ) from None
            raise


def _losses(prepared: Prepared, steps: int, cancelled: CancelFunction) -> Iterator[tuple[float, float]]:
    """(rate, loss) of each step, which is made when it is asked for."""
    learner = Learner(prepared.fresh_model(), prepared.recipe)
    learner.model.prepare_weights(prepared.first_images)
    learner.model.train()
    for step, (images, labels) in zip(range(steps), _endless(prepared), strict=False):
        check(cancelled)
        rate = rate_at(step, steps)
        set_learning_rate(learner.optimizer, rate)
        loss, _ = learner.backward(images, labels)
        yield rate, loss.item()
        learner.update()


def _endless(prepared: Prepared) -> Iterator[tuple[Tensor, Tensor]]:
    batches = prepared.batches()
    for epoch in count(1):
        yield from batches.epoch(epoch)
