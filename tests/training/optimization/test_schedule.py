"""Learning rate schedules, compared with torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from cnnstudio.training.optimization.schedule import learning_rates
from cnnstudio.training.recipe.built_in import FAST_GPU
from cnnstudio.training.recipe.recipe import SCHEDULES, Recipe


@pytest.mark.parametrize("steps", [4, 10, 37])
@pytest.mark.parametrize(("rising", "start"), [(None, 0.04), (0.5, 0.1)])
def test_one_cycle_equals_torchs(steps: int, rising: float | None, start: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    own: dict[str, Any] = {} if rising is None else {"pct_start": rising, "div_factor": 1 / start}
    schedule = OneCycleLR(optimizer, 0.05, total_steps=steps, cycle_momentum=False, **own)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    recipe = Recipe(learning_rate=0.05, schedule="one_cycle", warm_up=rising or 0, warm_up_start=start)
    ours = learning_rates(recipe, steps)
    assert [ours(step) for step in range(steps)] == pytest.approx(rates, rel=1e-6)


def test_cosine_equals_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = CosineAnnealingLR(optimizer, 20)
    ours = learning_rates(Recipe(learning_rate=0.1, schedule="cosine"), 20)
    for step in range(20):
        assert ours(step) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def schedules_of_torch(make: Callable[[Optimizer], LRScheduler], steps: int) -> list[float]:
    """What a schedule of torch gives for a learning rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({"schedule": "step", "step_epochs": 3, "step_factor": 0.5}, lambda each: StepLR(each, 3 * 4, 0.5)),
        ({"schedule": "linear"}, lambda each: LinearLR(each, 1.0, 0.0, total_iters=40)),
        ({"schedule": "linear", "final_rate": 0.1}, lambda each: LinearLR(each, 1.0, 0.1, total_iters=40)),
        ({"schedule": "cosine", "final_rate": 0.1}, lambda each: CosineAnnealingLR(each, 40, eta_min=0.1)),
        (
            {"schedule": "constant", "warm_up": 0.25, "warm_up_start": 0.2},
            lambda each: LinearLR(each, 0.2, 1.0, total_iters=10),
        ),
        (
            {"schedule": "cosine", "warm_up": 0.25, "warm_up_start": 0.1},
            lambda each: SequentialLR(
                each, [LinearLR(each, 0.1, 1.0, total_iters=10), CosineAnnealingLR(each, 30)], [10]
            ),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in")
def test_schedules_equal_torchs(settings: dict[str, Any], make: Callable[[Optimizer], LRScheduler]) -> None:
    ours = learning_rates(Recipe(learning_rate=1.0, epochs=10, **settings), 40)
    expected = schedules_of_torch(make, 40)
    assert [ours(step) for step in range(40)] == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_linear_schedule_equals_airbenchs() -> None:
    # From its script: 0.2 of the peak at first, the peak at 23% of the steps, 0.07 at the end.
    steps = 100
    ours = learning_rates(FAST_GPU, steps)
    expected = np.interp(np.arange(steps), [0, 23, steps], [0.2, 1, 0.07])
    assert [ours(step) / 1.5 for step in range(steps)] == pytest.approx(list(expected))


@pytest.mark.parametrize("warm_up", [0.0, 0.9])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_of_few_steps_has_valid_rates(schedule: str, steps: int, warm_up: float) -> None:
    rates = learning_rates(Recipe(learning_rate=0.1, schedule=schedule, warm_up=warm_up), steps)
    assert all(0 < rates(step) <= 0.1 for step in range(steps))
