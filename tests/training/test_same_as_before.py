"""The recipes `lesson` and `studio` give the same bits as a plain PyTorch loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD, Adam

from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.networks import tiny


def prepared_for(recipe: Recipe) -> PreparedTraining:
    short = recipe.replace(epochs=2, batch_size=16, seed=3)
    return prepare(tiny(dropout=True), colors(), short, "cpu")


def as_trained(prepared: PreparedTraining) -> dict[str, Tensor]:
    """The weights after the last epoch, by the trainer."""
    seen: dict[str, Tensor] = {}

    def keep(epoch: int, model: Model) -> None:
        seen.update({name: value.clone() for name, value in model.state_dict().items()})

    train_prepared(prepared, emit=lambda event: None, after_epoch=keep)
    return seen


def begin(prepared: PreparedTraining) -> Model:
    torch.manual_seed(prepared.recipe.seed)
    model = build_model(prepared.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.set_normalization(prepared.mean, prepared.std)
    return model  # type: ignore[no-any-return]  # the stub of `to` has no memory format


def learn(model: Model, images: Tensor, labels: Tensor, smoothing: float = 0.0) -> None:
    model.train()
    F.cross_entropy(model(images), labels, label_smoothing=smoothing).backward()


def assert_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_the_lesson_equals_a_plain_adam_loop() -> None:
    prepared = prepared_for(LESSON)
    trained = as_trained(prepared)
    model = begin(prepared)
    adam = Adam([{"params": list(model.parameters()), "weight_decay": 0.0}], 0.001, fused=True)
    for epoch in (1, 2):
        for images, labels in prepared.batches().epoch(epoch):
            learn(model, images, labels)
            adam.step()
            adam.zero_grad()
    assert_equal(trained, model.state_dict())


def test_studio_equals_a_plain_loop_with_its_settings() -> None:
    prepared = prepared_for(STUDIO.replace(precision="float32"))
    trained = as_trained(prepared)
    model, batches = begin(prepared), prepared.batches()
    groups = [
        {"params": [each for each in model.parameters() if each.ndim > 1], "weight_decay": 0.0005},
        {"params": [each for each in model.parameters() if each.ndim <= 1], "weight_decay": 0.0},
    ]
    sgd = SGD(groups, 0.05, momentum=0.9, nesterov=True, fused=True)
    step, steps = 0, 2 * len(batches)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in (1, 2):
        for images, labels in batches.epoch(epoch):
            for group in sgd.param_groups:
                group["lr"] = one_cycle(step, steps)
            learn(model, images, labels, smoothing=0.1)
            sgd.step()
            sgd.zero_grad()
            step += 1
            decay = min(0.99, (1 + step) / (10 + step))
            for name, value in model.state_dict().items():
                # Integers only count batches.
                average[name] = (
                    value.clone() if value.dtype == torch.long else average[name].lerp(value, 1 - decay)
                )
    assert_equal(trained, average)


def one_cycle(step: int, steps: int) -> float:
    """From 0.002 to 0.05 over 15% of the steps, then to 0.0000002."""
    top, last = 0.15 * steps - 1, steps - 1
    first, end, fraction = 0.05 * (1 / 25), 0.05, step / top
    if step > top:
        first, end, fraction = 0.05, 0.05 * (1 / 25) * 1e-4, (step - top) / (last - top)
    return end + (first - end) * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0))) / 2


@pytest.mark.parametrize(
    "changes",
    [
        {"label_smoothing": 0.2},
        {"schedule": "constant"},
        {"momentum": 0.8},
        {"weight_decay": 0.0},
        {"flip": "off"},
        {"clip_norm": 0.01},
        {"lookahead": True},
        {"average_decay": 0.5},
        {"mixup": 0.5},
        {"norm_bias_rate": 2.0},
        {"warm_up": 0.5},
        {"optimizer": "muon"},
    ],
)
def test_each_setting_makes_a_difference(changes: dict[str, object]) -> None:
    plain, changed = (as_trained(prepared_for(STUDIO.replace(**each))) for each in ({}, changes))
    assert not all(torch.equal(value, changed[name]) for name, value in plain.items())
