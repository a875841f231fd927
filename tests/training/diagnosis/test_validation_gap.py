"""A run that is better on validation images says so, with the reasons that apply to it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cnnstudio.design.edits import replace
from cnnstudio.design.network import Network
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.diagnosis.diagnosis import Diagnosis
from cnnstudio.training.events import (
    Diagnosed,
    EpochEnded,
    Event,
    Progress,
    Recovered,
    Scores,
    Started,
    ValidationSource,
)
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import network, tiny

Accuracies = Sequence[tuple[float, float]]
"""(training, validation) of each epoch."""


def events(accuracies: Accuracies, images: int = 1000, source: ValidationSource = "test") -> list[Event]:
    started = Started(None, "Net", 1, "cpu", 1, 10, 40, 32, 1280, images, ("a", "b", "c"), source)
    found: list[Event] = [started]
    for number, (train, validation) in enumerate(accuracies, 1):
        # Losses that no other rule has anything to say about.
        scores = Scores(1.0 * 0.9**number, train), Scores(1.0 * 0.9**number, validation)
        found += [
            EpochEnded(number, *scores, 1.0, 0.001, 1.0, True, 0.1),
            Progress(40 * number, 400, number, (), (), 1, 1.0, 0.001, 1.0, None),
        ]
    return found


def reported(
    accuracies: Accuracies,
    recipe: Recipe = LESSON,
    design: Network | None = None,
    images: int = 1000,
    source: ValidationSource = "test",
) -> list[Diagnosed | Recovered]:
    """What is said of it, and nothing of another kind."""
    diagnosis = Diagnosis(recipe, design or tiny())
    found = [each for event in events(accuracies, images, source) for each in diagnosis.feed(event)]
    assert {each.kind for each in found} <= {"validation_better"}
    return found


def advice(*args: object, **keywords: object) -> str:
    (found,) = reported(*args, **keywords)  # type: ignore[arg-type]  # passed on
    assert isinstance(found, Diagnosed)
    return found.advice


EASY = ((0.5, 0.7), (0.55, 0.72))


def test_it_is_said_once_with_both_accuracies() -> None:
    (found,) = reported([*EASY, (0.6, 0.74)])
    assert isinstance(found, Diagnosed)
    assert found.epoch == 2
    assert found.message == (
        "After epoch 2, the validation accuracy (72.0%) is higher than the training accuracy (55.0%)."
    )


@pytest.mark.parametrize(
    ("accuracies", "images"),
    [
        ([(0.5, 0.5), (0.6, 0.55)], 1000),
        ([(0.5, 0.7), (0.7, 0.7)], 1000),
        ([(0.5, 0.515), (0.5, 0.515)], 100_000),
        ([(0.5, 0.58), (0.5, 0.58)], 100),
    ],
    ids=["worse", "one epoch", "hardly better", "few images"],
)
def test_what_may_be_chance_is_not_said(accuracies: Accuracies, images: int) -> None:
    assert reported(accuracies, images=images) == []


def test_the_mean_over_the_epoch_is_the_reason_while_the_network_learns_fast() -> None:
    assert advice([(0.3, 0.5), (0.52, 0.6)]) == (
        "This is normal here: the training accuracy is a mean over the epoch, and validation comes at its "
        "end."
    )
    assert "mean over the epoch" in advice([(0.3, 0.5)], LESSON.replace(epochs=1))


def test_without_a_reason_the_validation_images_are_easier() -> None:
    assert advice(EASY) == (
        "Nothing in the recipe explains it: the 1,000 validation images are probably easier, or some of them "
        "are also training images. Check how they were chosen."
    )
    assert "by chance the 100 validation images are easier" in advice(
        [(0.5, 0.9), (0.55, 0.9)], images=100, source="share"
    )


@pytest.mark.parametrize(
    ("recipe", "drops", "reason"),
    [
        (LESSON.replace(flip="random"), False, "augmentation is off in validation."),
        (LESSON.replace(mixup=0.2), False, "augmentation is off"),
        (LESSON, True, "dropout is off in validation."),
        (LESSON.replace(shift=2), True, "augmentation and dropout are off in validation."),
        (LESSON.replace(average_decay=0.99), False, "validation uses the averaged weights"),
        (LESSON.replace(lookahead=True), False, "validation uses the averaged weights"),
        (LESSON.replace(test_time_flip=True), False, "validation averages the predictions"),
    ],
)
def test_the_reasons_are_those_of_the_recipe_and_the_network(
    recipe: Recipe, drops: bool, reason: str
) -> None:
    layers = [Flatten(), Dropout(0.5), Dense(3)] if drops else [Flatten(), Dense(3)]
    text = advice(EASY, recipe, network(*layers))
    assert text.startswith(f"This is normal here: {reason}")
    assert "easier" not in text
    assert "mean over" not in text


def test_several_reasons_are_named_together() -> None:
    text = advice([(0.3, 0.5), (0.52, 0.6)], STUDIO)
    assert [part in text for part in ("augmentation", "averaged weights", "mean over the epoch")] == [
        True
    ] * 3


def test_it_is_withdrawn_when_training_catches_up() -> None:
    first, second = reported([*EASY, (0.7, 0.7)])
    assert isinstance(first, Diagnosed)
    assert isinstance(second, Recovered)
    assert second.epoch == 3


def test_a_disabled_dropout_is_no_reason() -> None:
    design = network(Flatten(), Dropout(0.5), Dense(3))
    assert "dropout" not in advice(EASY, design=replace(design, design.nodes[1].id, enabled=False))
