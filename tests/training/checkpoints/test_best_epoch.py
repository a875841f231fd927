"""Which epoch of a run is its best."""

from __future__ import annotations

import pytest

from cnnstudio.training.checkpoints.manager import FEW_VALIDATION_IMAGES, CheckpointManager, ManagerState
from cnnstudio.training.events import Scores
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.train_step import TrainingStep
from tests.training.networks import tiny


def is_best(before: Scores, scores: Scores, images: int) -> bool:
    step = TrainingStep(build_model(tiny()), LESSON)
    manager = CheckpointManager(step, None, lambda message, about=None: None, validation_images=images)
    manager.set_state(ManagerState(None, (3, before), 0))
    return manager.is_best(4, scores)


@pytest.mark.parametrize(
    ("images", "scores", "best"),
    [
        (FEW_VALIDATION_IMAGES, Scores(2.0, 0.6), True),
        (FEW_VALIDATION_IMAGES, Scores(0.5, 0.4), False),
        (FEW_VALIDATION_IMAGES, Scores(0.9, 0.5), True),
        # Of so few images, some are right by chance.
        (FEW_VALIDATION_IMAGES - 1, Scores(2.0, 0.6), False),
        (FEW_VALIDATION_IMAGES - 1, Scores(0.5, 0.4), True),
        (FEW_VALIDATION_IMAGES - 1, Scores(1.0, 0.6), False),
    ],
)
def test_the_best_epoch_is_the_most_accurate_or_with_few_images_that_of_the_smallest_loss(
    images: int, scores: Scores, best: bool
) -> None:
    assert is_best(Scores(1.0, 0.5), scores, images) is best
