"""Optimizers and learning rates."""

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

from cnnstudio.layers.base import Shape
from cnnstudio.layers.conv2d import Conv2D
from cnnstudio.layers.dense import Dense
from cnnstudio.layers.flatten import Flatten
from cnnstudio.training.model import build_model
from cnnstudio.training.optimizers import learning_rates, make_optimizer, set_learning_rate
from cnnstudio.training.recipe import FAST_GPU, LESSON, SCHEDULES, Recipe
from tests.training.networks import network, tiny


@pytest.mark.parametrize("steps", [4, 10, 37])
@pytest.mark.parametrize(("rising", "start"), [(None, 0.04), (0.5, 0.1)])
def test_one_cycle_is_torchs(steps: int, rising: float | None, start: float) -> None:
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


def test_cosine_is_torchs() -> None:
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
def test_schedules_are_torchs(settings: dict[str, Any], make: Callable[[Optimizer], LRScheduler]) -> None:
    ours = learning_rates(Recipe(learning_rate=1.0, epochs=10, **settings), 40)
    expected = schedules_of_torch(make, 40)
    assert [ours(step) for step in range(40)] == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_triangle_of_airbench() -> None:
    # From its script: 0.2 of the peak at first, the peak at 23 % of the steps, 0.07 at the end.
    steps = 100
    ours = learning_rates(FAST_GPU, steps)
    expected = np.interp(np.arange(steps), [0, 23, steps], [0.2, 1, 0.07])
    assert [ours(step) / 1.5 for step in range(steps)] == pytest.approx(list(expected))


@pytest.mark.parametrize("warm_up", [0.0, 0.9])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_of_few_steps_has_rates_too(schedule: str, steps: int, warm_up: float) -> None:
    rates = learning_rates(Recipe(learning_rate=0.1, schedule=schedule, warm_up=warm_up), steps)
    assert all(0 < rates(step) <= 0.1 for step in range(steps))


def test_the_lesson_learns_with_torchs_own_adam() -> None:
    # Without BatchNormalization, before which a bias has no gradient but rounding errors.
    drawn = network(Conv2D(4, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    ours, plain = build_model(drawn), build_model(drawn)
    plain.load_state_dict(ours.state_dict())
    optimizers = [make_optimizer(LESSON, ours), torch.optim.Adam(plain.parameters(), lr=0.001)]
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    for _ in range(5):
        for model, optimizer in zip((ours, plain), optimizers, strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    for left, right in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimizer_is_fused(optimizer: str) -> None:
    made = make_optimizer(LESSON.replace(optimizer=optimizer), build_model(tiny()))
    assert made.defaults["fused"]


def test_sgd_uses_nesterov_momentum_and_works_without_any() -> None:
    sgd = Recipe(optimizer="sgd", momentum=0.8)
    assert make_optimizer(sgd, build_model(tiny())).defaults["nesterov"]
    assert make_optimizer(sgd, build_model(tiny())).defaults["momentum"] == 0.8
    assert not make_optimizer(sgd.replace(momentum=0), build_model(tiny())).defaults["nesterov"]


def test_weight_decay_leaves_biases_and_norms_alone() -> None:
    model = build_model(tiny())
    decayed, left = make_optimizer(LESSON.replace(weight_decay=0.01), model).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(parameter)] for parameter in decayed["params"]} == {
        "conv2d_1.weight",
        "conv2d_2.weight",
        "dense_1.weight",
    }
    assert (decayed["weight_decay"], left["weight_decay"]) == (0.01, 0.0)
    assert len(decayed["params"]) + len(left["params"]) == len(names)


def test_the_rate_reaches_every_group() -> None:
    optimizer = make_optimizer(LESSON.replace(weight_decay=0.01), build_model(tiny()))
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_rmsprop_is_kerass() -> None:
    drawn = network(Conv2D(4, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    model = build_model(drawn)
    optimizer = make_optimizer(Recipe(optimizer="rmsprop", learning_rate=0.01, momentum=0.5), model)
    weights = model.get_parameter("dense_1.weight")
    expected = weights.detach().double()
    mean, velocity = torch.zeros_like(expected), torch.zeros_like(expected)
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    for _ in range(4):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        assert weights.grad is not None
        gradient = weights.grad.double()
        mean = 0.9 * mean + 0.1 * gradient**2
        velocity = 0.5 * velocity + gradient / (mean.sqrt() + 1e-8)
        expected = expected - 0.01 * velocity
        optimizer.step()
        torch.testing.assert_close(weights.detach().double(), expected, rtol=1e-4, atol=1e-5)


def test_biases_of_normalisations_can_learn_faster() -> None:
    model = build_model(tiny())
    recipe = LESSON.replace(optimizer="sgd", learning_rate=0.01, weight_decay=0.1, norm_bias_rate=8)
    optimizer = make_optimizer(recipe, model)
    set_learning_rate(optimizer, 0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(each)]: group["lr"] for group in optimizer.param_groups for each in group["params"]}
    (quick,) = [name for name, rate in rates.items() if rate != 0.5]
    assert quick == "batch_normalization_1.bias"
    assert rates[quick] == 4.0
    assert len(rates) == len(names)


def test_all_rates_stand_before_the_first_step() -> None:
    optimizer = make_optimizer(Recipe(learning_rate=0.01, norm_bias_rate=8), build_model(tiny()))
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.08]
