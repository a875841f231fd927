"""Options of a training step: gradient clipping and mixed labels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.training.networks import tiny


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
