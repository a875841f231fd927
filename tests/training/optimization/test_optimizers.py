"""The optimizers that recipes name."""

from __future__ import annotations

import pytest
import torch

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.scale import Scale
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.model import build_model
from cnnstudio.training.optimization.optimizers import make_optimizer, set_learning_rate
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import network, tiny


def test_the_lesson_trains_like_torch_adam() -> None:
    # Without BatchNormalization, before which a bias has no gradient but rounding errors.
    design = network(Conv2D(4, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    ours, plain = build_model(design), build_model(design)
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


def test_sgd_uses_nesterov_momentum_and_works_without_momentum() -> None:
    sgd = Recipe(optimizer="sgd", momentum=0.8)
    assert make_optimizer(sgd, build_model(tiny())).defaults["nesterov"]
    assert make_optimizer(sgd, build_model(tiny())).defaults["momentum"] == 0.8
    assert not make_optimizer(sgd.replace(momentum=0), build_model(tiny())).defaults["nesterov"]


def test_weight_decay_does_not_apply_to_biases_and_normalization() -> None:
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


def test_weight_decay_does_not_apply_to_a_trainable_scale() -> None:
    design = network(Flatten(), Dense(3), Scale(trainable=True), input=Shape.of(3, 8, 8))
    model = build_model(design)
    decayed, left = make_optimizer(LESSON.replace(weight_decay=0.01), model).param_groups
    assert [each.ndim for each in decayed["params"]] == [2]
    assert sorted(each.ndim for each in left["params"]) == [0, 1]


def test_the_learning_rate_is_set_in_every_group() -> None:
    optimizer = make_optimizer(LESSON.replace(weight_decay=0.01), build_model(tiny()))
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_rmsprop_equals_kerass() -> None:
    design = network(Conv2D(4, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    model = build_model(design)
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


def test_normalization_biases_can_have_a_higher_learning_rate() -> None:
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


def test_all_learning_rates_are_set_before_the_first_step() -> None:
    optimizer = make_optimizer(Recipe(learning_rate=0.01, norm_bias_rate=8), build_model(tiny()))
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.08]
