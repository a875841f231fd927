"""The change of the weights in an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from cnnstudio.training.weight_change import WeightChange
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network, tiny

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.01)


def test_the_layer_that_changed_most_counts() -> None:
    model = build_model(network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(3, 8, 8)))
    change = WeightChange(model)
    assert change.measure() == 0.0
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights *= 1.25 if name.startswith("conv2d_1") else 1.5
    assert change.measure() == pytest.approx(0.5)


def test_biases_and_weights_that_begin_at_zero_do_not_count() -> None:
    model = build_model(network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(3, 8, 8)))
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        change = WeightChange(model)
        for weights in model.parameters():
            weights.fill_(1.0)
    assert change.measure() is None


def test_a_change_that_overflowed_is_unknown() -> None:
    model = build_model(network(Flatten(), Dense(3), input=Shape.of(3, 8, 8)))
    change = WeightChange(model)
    with torch.no_grad():
        for weights in model.parameters():
            weights.fill_(torch.inf)
    assert change.measure() is None


def test_large_tensors_are_sampled_all_over() -> None:
    model = build_model(network(Flatten(), Dense(400), Dense(3), input=Shape.of(3, 8, 8)))
    change = WeightChange(model)
    with torch.no_grad():
        first = next(model.parameters())
        first[len(first) // 2 :] *= 2
    assert change.measure() == pytest.approx(0.5**0.5, abs=0.02)


def test_each_epoch_reports_its_change() -> None:
    changes = {}
    for rate in (0.01, 0.00001):
        listener = Listener()
        train(tiny(), colors(), RECIPE.replace(learning_rate=rate), device="cpu", emit=listener)
        changes[rate] = [event.weight_change for event in listener.of(EpochEnded)]
    assert all(change is not None and change > 0.05 for change in changes[0.01])
    assert all(change is not None and 0 < change < 0.01 for change in changes[0.00001])


def test_an_epoch_that_was_interrupted_does_not_report_a_part(tmp_path: Path) -> None:
    control, listener = Control(), Listener()
    stopping = Listener(stop_at(control, step=15))
    train(tiny(), colors(), RECIPE, device="cpu", emit=stopping, control=control, folder=tmp_path)
    train(tiny(), colors(), RECIPE, device="cpu", emit=listener, folder=tmp_path, resume=True)
    (ended,) = listener.of(EpochEnded)
    assert (ended.epoch, ended.weight_change) == (2, None)
