"""Options of a training step: gradient clipping and mixed labels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.training.networks import network, tiny


@pytest.mark.parametrize("limit", [0.001, 1e6])
def test_a_gradient_above_the_maximum_norm_is_clipped(limit: float) -> None:
    torch.manual_seed(0)
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    recipe = Recipe(optimizer="sgd", momentum=0, learning_rate=1.0, clip_norm=limit)
    training_step = TrainingStep(build_model(tiny()), recipe)
    before = [each.detach().clone() for each in training_step.model.parameters()]
    training_step.backward(images, labels)
    gradients = [each.grad.clone() for each in training_step.model.parameters() if each.grad is not None]
    length = torch.stack([each.norm() for each in gradients]).norm().item()
    training_step.update()
    fraction = min(limit / length, 1.0)
    for weights, old, gradient in zip(training_step.model.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(old - weights.detach(), fraction * gradient, rtol=1e-3, atol=1e-6)


def test_mixed_labels_count_as_the_class_with_the_larger_share() -> None:
    training_step = TrainingStep(build_model(tiny()), Recipe())
    training_step.model.eval()
    images = torch.randn(4, 3, 8, 8)
    logits = training_step.model(images).detach()
    best, worst = F.one_hot(logits.argmax(1), 3).float(), F.one_hot(logits.argmin(1), 3).float()
    mostly_right = torch.tensor([0.6, 0.6, 0.6, 0.4]).unsqueeze(1)
    loss, correct = training_step.backward(images, mostly_right * best + (1 - mostly_right) * worst)
    assert int(correct) == 3
    own, other = (F.cross_entropy(logits, each, reduction="none") for each in (best, worst))
    shares = mostly_right.flatten()
    torch.testing.assert_close(loss, (shares * own + (1 - shares) * other).mean())


def weighted_gradients(
    recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> tuple[TrainingStep, torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(0)
    design = network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    training_step = TrainingStep(build_model(design), recipe, class_weights=weights)
    loss, _ = training_step.backward(images, labels)
    gradients = [each.grad for each in training_step.model.parameters() if each.grad is not None]
    return training_step, loss, gradients


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(label_smoothing=0.1), Recipe(accumulate=3)])
def test_class_weights_multiply_the_loss_of_each_image(recipe: Recipe) -> None:
    images, labels = torch.randn(6, 3, 8, 8), torch.tensor([0, 0, 0, 0, 1, 2])
    weights = torch.tensor([0.5, 2.0, 2.0])
    whole_batch = recipe.replace(batch_size=6)
    training_step, loss, gradients = weighted_gradients(whole_batch, images, labels, weights)
    logits = training_step.model(images)
    logs, smoothing = logits.log_softmax(1), recipe.label_smoothing
    own = -(1 - smoothing) * weights[labels] * logs[range(6), labels]
    others = -smoothing / 3 * (weights * logs).sum(1)
    expected = torch.autograd.grad((own + others).mean(), list(training_step.model.parameters()))
    for gradient, right in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels).detach())


def test_class_weights_outlast_a_change_of_the_recipe() -> None:
    training_step = TrainingStep(build_model(tiny()), Recipe(), class_weights=torch.zeros(3))
    training_step.change_recipe(Recipe(learning_rate=0.1), steps=10)
    training_step.backward(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 0]))
    assert all(not each.grad.any() for each in training_step.model.parameters() if each.grad is not None)


@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_the_norm_of_all_gradients_before_clipping_is_measured(limit: float) -> None:
    design = network(Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    training_step = TrainingStep(build_model(design), Recipe(clip_norm=limit))
    training_step.backward(torch.randn(4, 3, 8, 8), torch.arange(4) % 3)
    gradients = torch.cat([each.grad.flatten() for each in training_step.model.parameters()])

    norm = training_step.update(measures=True)

    assert norm is not None
    assert norm.item() == pytest.approx(gradients.norm().item(), rel=1e-5)
