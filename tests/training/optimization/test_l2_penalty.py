"""The gradient of the L2 penalty equals the one that torch computes from the loss including the penalty."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.model import build_model
from cnnstudio.training.optimization.l2_penalty import add_l2_gradients, find_l2_penalties
from cnnstudio.training.optimization.optimizers import make_optimizer
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network, tiny


def penalized(kernel_l2: float = 0.01) -> Network:
    return network(
        Conv2D(4, activation="relu", kernel_l2=kernel_l2),
        SeparableConv2D(4, kernel_l2=2 * kernel_l2),
        *(Conv2D(4), Flatten(), Dense(3, kernel_l2=3 * kernel_l2)),
        input=Shape.of(3, 8, 8),
    )


def test_kernels_of_layers_with_a_penalty_are_found_without_biases() -> None:
    model = build_model(penalized())
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert {names[id(weight)]: kernel_l2 for weight, kernel_l2 in find_l2_penalties(model)} == {
        "conv2d_1.weight": 0.01,
        "separable_conv2d_1.weight": 0.02,
        "separable_conv2d_1_pointwise.weight": 0.02,
        "dense_1.weight": 0.03,
    }


def test_a_network_without_penalties_yields_none() -> None:
    assert find_l2_penalties(build_model(tiny())) == []


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_step_equals_that_of_the_loss_including_the_penalty(optimizer: str) -> None:
    recipe = Recipe("test", optimizer=optimizer, learning_rate=0.1, weight_decay=0.01)
    images, labels = torch.randn(6, 3, 8, 8), torch.tensor([0, 1, 2] * 2)
    model, reference = build_model(penalized()), build_model(penalized())
    reference.load_state_dict(model.state_dict())
    for each in (model, reference):
        each.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub has no memory format
    for _ in range(3):
        step, reference_step = make_optimizer(recipe, model), make_optimizer(recipe, reference)
        F.cross_entropy(model(images), labels).backward()
        add_l2_gradients(find_l2_penalties(model))
        loss = F.cross_entropy(reference(images), labels)
        for weight, kernel_l2 in find_l2_penalties(reference):
            loss = loss + kernel_l2 * weight.square().sum()
        loss.backward()
        for one, other in zip(model.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
        for each in (step, reference_step):
            each.step()
            each.zero_grad(set_to_none=True)


def test_training_with_a_strong_penalty_leaves_smaller_weights(tmp_path: Path) -> None:
    recipe = Recipe("test", epochs=2, batch_size=16, optimizer="sgd", learning_rate=0.05, momentum=0.0)
    sizes = []
    for kernel_l2 in (0.0, 0.3):
        folder = tmp_path / str(kernel_l2)
        train(penalized(kernel_l2), colors(), recipe, emit=Listener(), folder=folder)
        weights = CheckpointStore(folder / "checkpoints").load("last").weights
        sizes.append(float(weights["conv2d_1.weight"].square().sum()))
    # 12 steps, each of which takes at least 2 * 0.05 * 0.3 of a weight.
    assert sizes[1] < sizes[0] * 0.97 ** (2 * 12) * 1.2


def test_a_resumed_run_with_penalties_gives_the_same_bits(tmp_path: Path) -> None:
    recipe = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01)
    train(penalized(), colors(), recipe, emit=Listener(), folder=tmp_path / "whole")
    control = Control()
    listener = Listener(stop_at(control, epoch=1))
    train(penalized(), colors(), recipe, control=control, emit=listener, folder=tmp_path / "parts")
    train(penalized(), colors(), recipe, emit=Listener(), folder=tmp_path / "parts", resume=True)
    whole, parts = (
        CheckpointStore(tmp_path / name / "checkpoints").load("last") for name in ("whole", "parts")
    )
    assert all(torch.equal(value, parts.weights[name]) for name, value in whole.weights.items())
