"""Evaluation of a model."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.events import Finished
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.networks import tiny


def test_predictions_are_averaged_over_an_image_and_its_mirror_image() -> None:
    model = build_model(tiny()).eval()
    images, labels = torch.randn(30, 3, 8, 8), torch.arange(30) % 3
    logits = (model(images) + model(images.flip(3))) / 2
    scores = mean_scores(model, [(images[:20], labels[:20]), (images[20:], labels[20:])], flip=True)
    assert scores is not None
    assert abs(scores.loss - F.cross_entropy(logits, labels).item()) < 1e-5
    assert scores.accuracy == int((logits.argmax(1) == labels).sum()) / 30
    plain = mean_scores(model, [(images, labels)])
    assert plain is not None
    assert abs(plain.loss - scores.loss) > 1e-4


def test_test_time_flip_changes_the_scores() -> None:
    def loss(flip: bool) -> float:
        recipe = Recipe(epochs=1, batch_size=16, learning_rate=0.01, test_time_flip=flip)
        finished: Finished = train(tiny(), colors(), recipe, emit=lambda event: None)
        assert finished.test is not None
        return finished.test.loss

    assert loss(True) != loss(False)
