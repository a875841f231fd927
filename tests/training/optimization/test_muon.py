"""Muon for kernels and AdamW for the rest, as one optimizer."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Muon

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.optimization.optimizers import make_optimizer, set_learning_rate
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.training.float64_muon import float64_muon
from tests.training.networks import network, tiny

RECIPE = Recipe(optimizer="muon", learning_rate=0.01, momentum=0.9, weight_decay=0.02)


def make(seed: int = 0, *, channels_last: bool = True) -> Model:
    torch.manual_seed(seed)
    # Without BatchNormalization, before which a bias has no gradient but rounding errors.
    convolutions = (Conv2D(6, activation="relu"), Conv2D(10, strides=(2, 2)), Conv2D(8), Conv2D(8, (1, 1)))
    model = build_model(network(*convolutions, Flatten(), Dense(8), input=Shape.of(3, 16, 16)))
    return model.to(memory_format=torch.channels_last) if channels_last else model  # type: ignore[call-overload]


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(8, 3, 16, 16), torch.arange(8)


def learn(model: nn.Module, *optimizers: torch.optim.Optimizer, steps: int = 3) -> None:
    images, labels = batch()
    images = images.to(next(model.parameters()).dtype)
    for _ in range(steps):
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        for optimizer in optimizers:
            optimizer.step()


def test_inner_kernels_go_to_muon_and_the_rest_to_adamw() -> None:
    model = make()
    optimizer = make_optimizer(RECIPE, model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    kernels, decayed, plain = (
        {names[id(each)] for each in group["params"]} for group in optimizer.param_groups
    )
    kernel_names = [name for name, parameter in model.named_parameters() if parameter.ndim > 1]
    assert kernels == set(kernel_names[1:-1])
    assert decayed == {kernel_names[0], kernel_names[-1]}
    assert kernels | decayed | plain == set(names.values())


def test_the_steps_equal_those_of_torchs_muon_and_adamw() -> None:
    model = make(channels_last=False).double()
    # torch's Muon takes matrices only, so in the plain model the kernels are matrices.
    plain = copy.deepcopy(model)
    inner = [each for each in plain.parameters() if each.ndim > 1][1:-1]
    flat = [nn.Parameter(each.detach().view(len(each), -1)) for each in inner]
    others = [each for each in plain.parameters() if all(each is not one for one in inner)]
    muon = Muon(flat, 0.01, 0.02, 0.9, adjust_lr_fn="match_rms_adamw")
    adamw = AdamW(
        [
            {"params": [each for each in others if each.ndim > 1], "weight_decay": 0.02},
            {"params": [each for each in others if each.ndim <= 1], "weight_decay": 0.0},
        ],
        0.01,
    )
    images, labels = batch()
    with float64_muon():
        learn(model, make_optimizer(RECIPE, model))
        for _ in range(3):
            plain.zero_grad()
            F.cross_entropy(plain(images.double()), labels).backward()
            for matrix, weights in zip(flat, inner, strict=True):
                assert weights.grad is not None
                matrix.grad = weights.grad.reshape(len(weights), -1)
            muon.step()
            adamw.step()
    for left, right in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-9)


def test_the_memory_layout_of_the_weights_does_not_matter() -> None:
    models = [make(channels_last=True).double(), make(channels_last=False).double()]
    with float64_muon():
        for model in models:
            learn(model, make_optimizer(RECIPE, model))
    for left, right in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-9)


def test_steps_after_restoring_the_state_are_the_same() -> None:
    images, labels = batch()
    first = TrainingStep(make(), RECIPE)
    for _ in range(2):
        first.backward(images, labels)
        first.update()
    second = TrainingStep(make(7), RECIPE)
    second.model.load_state_dict(first.model.state_dict())
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    for training_step in (first, second):
        training_step.backward(images, labels)
        training_step.update()
    for left, right in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(left, right)


def test_the_learning_rate_is_set_in_both_optimizers() -> None:
    model = make()
    optimizer = make_optimizer(RECIPE.replace(weight_decay=0), model)
    before = [each.clone() for each in model.parameters()]
    set_learning_rate(optimizer, 0.0)
    learn(model, optimizer, steps=1)
    assert all(torch.equal(left, right) for left, right in zip(before, model.parameters(), strict=True))


def test_weights_without_gradient_do_not_change() -> None:
    model = make()
    optimizer = make_optimizer(RECIPE, model)
    before = [each.clone() for each in model.parameters()]
    optimizer.step()
    assert all(torch.equal(left, right) for left, right in zip(before, model.parameters(), strict=True))


def test_a_network_without_inner_kernels_uses_adamw() -> None:
    model = build_model(tiny())
    kernels = [each for each in model.parameters() if each.ndim > 1]
    for each in kernels[1:-1]:
        each.requires_grad_(False)
    assert isinstance(make_optimizer(RECIPE, model), AdamW)
