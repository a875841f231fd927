"""Gradient accumulation gives the same step as the whole batch."""

from __future__ import annotations

import math

import pytest
import torch

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep, micro_batch_count, micro_batch_size
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import network

RECIPE = Recipe(batch_size=16, optimizer="sgd", learning_rate=0.1, label_smoothing=0.1)


def learned(recipe: Recipe, count: int = 16) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Loss and correct predictions of three steps, and the weights after them."""
    torch.manual_seed(0)
    design = network(Conv2D(4, kernel_l2=0.01), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    training_step = TrainingStep(build_model(design), recipe)
    images, labels = torch.randn(count, 3, 8, 8), torch.arange(count) % 3
    results = []
    for _ in range(3):
        loss, correct = training_step.backward(images, labels)
        training_step.update()
        results += [loss.item(), float(correct)]
    return results, training_step.model.state_dict()


@pytest.mark.parametrize("accumulate", [2, 3, 5, 16, 400])
def test_micro_batches_give_the_step_of_the_whole_batch(accumulate: int) -> None:
    whole, parts = learned(RECIPE), learned(RECIPE.replace(accumulate=accumulate))
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)
    for name, value in whole[1].items():
        torch.testing.assert_close(parts[1][name], value, rtol=1e-5, atol=1e-6)


def test_a_short_last_batch_in_micro_batches_weights_images_equally() -> None:
    whole, parts = learned(RECIPE, count=7), learned(RECIPE.replace(accumulate=4), count=7)
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)


def test_no_micro_batch_has_a_single_image_unless_requested() -> None:
    for part in range(2, 9):
        for count in range(2, 60):
            parts = micro_batch_count(count, part)
            assert count // parts >= 2
            assert math.ceil(count / parts) <= part + 1
    assert micro_batch_count(5, 1) == 5
    assert (micro_batch_size(128, 3), micro_batch_size(4, 9)) == (43, 1)


def test_training_with_accumulation_gives_the_same_losses() -> None:
    design = network(Conv2D(4, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    losses = []
    for accumulate in (1, 3):
        listener = Listener()
        train(design, colors(), LESSON.replace(epochs=2, accumulate=accumulate), emit=listener)
        losses.append(listener.losses())
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_micro_batches_of_one_image_are_refused_with_batch_normalization_of_vectors() -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=Shape.of(3, 8, 8))
    with pytest.raises(TrainingError, match=r"must be at least 2, because BatchNormalization"):
        prepare(flat, colors(), LESSON.replace(accumulate=32))
    prepare(flat, colors(), LESSON.replace(accumulate=16))
