"""Optimizers and learning rates."""

from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from cnnstudio.layers.base import Shape
from cnnstudio.layers.conv2d import Conv2D
from cnnstudio.layers.dense import Dense
from cnnstudio.layers.flatten import Flatten
from cnnstudio.training.model import build_model
from cnnstudio.training.optimizers import learning_rates, make_optimizer, set_learning_rate
from cnnstudio.training.recipe import LESSON, Recipe
from tests.training.networks import network, tiny


@pytest.mark.parametrize("steps", [4, 10, 37])
def test_one_cycle_is_torchs(steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = OneCycleLR(optimizer, 0.05, total_steps=steps, cycle_momentum=False)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    ours = learning_rates(Recipe(learning_rate=0.05, schedule="one_cycle"), steps)
    assert [ours(step) for step in range(steps)] == pytest.approx(rates, rel=1e-6)


def test_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = CosineAnnealingLR(optimizer, 20)
    ours = learning_rates(Recipe(learning_rate=0.1, schedule="cosine"), 20)
    for step in range(20):
        assert ours(step) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_of_few_steps_has_rates_too(schedule: str, steps: int) -> None:
    rates = learning_rates(Recipe(learning_rate=0.1, schedule=schedule), steps)
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
