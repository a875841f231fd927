"""Explains why a run may be better on its validation images than on its training images.

Beginners take it for a mistake; most often it is how the two are measured. The reasons are read from the
recipe, the network and the epochs. Only if none of them applies, the validation images must be easier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Role
from cnnstudio.training.events import EpochEnded, ValidationSource
from cnnstudio.training.recipe.recipe import Recipe

_EPOCHS = 2
"""In a row: a single epoch may be chance."""
_MIN_GAP = 0.02
_STANDARD_ERRORS = 2
"""The smallest gap of the accuracies; and as many standard errors of an accuracy on so many images."""


@dataclass(frozen=True)
class ValidationImages:
    """How many there are, and where they come from."""

    count: int = 0
    source: ValidationSource = "share"


def explain_gap(
    epochs: Sequence[EpochEnded], recipe: Recipe, network: Network, images: ValidationImages
) -> tuple[str, str] | None:
    """(what is observed, why) if the last epochs are better on validation images; None if they are not."""
    last = epochs[-min(_EPOCHS, recipe.epochs) :]
    if not images.count or len(epochs) < min(_EPOCHS, recipe.epochs):
        return None
    if any(_gap(epoch) < _margin(epoch, images.count) for epoch in last):
        return None
    ended = last[-1]
    observed = (
        f"After epoch {ended.epoch:,}, the validation accuracy ({format_percent(ended.validation.accuracy)}) "
        f"is higher than the training accuracy ({format_percent(ended.train.accuracy)})."
    )
    reasons = [*_reasons(recipe, network), *_mean_of_epoch(last, images.count)]
    if reasons:
        return observed, f"This is normal here: {'; '.join(reasons)}."
    return observed, _easier_images(images)


def _gap(epoch: EpochEnded) -> float:
    return epoch.validation.accuracy - epoch.train.accuracy


def _margin(epoch: EpochEnded, count: int) -> float:
    """The smallest gap that is not chance, on so many validation images."""
    accuracy = epoch.train.accuracy
    return max(_MIN_GAP, _STANDARD_ERRORS * math.sqrt(accuracy * (1 - accuracy) / count))


def _reasons(recipe: Recipe, network: Network) -> Iterator[str]:
    augments = recipe.augmentation.moves_pixels or recipe.augmentation.changes_values
    active = (each for node in network.nodes for each in node.walk_active())
    drops = any(node.layer.role is Role.DROPOUT for node in active)
    if augments and drops:
        yield "augmentation and dropout are off in validation"
    elif augments or drops:
        yield f"{'augmentation' if augments else 'dropout'} is off in validation"
    if recipe.average_decay or recipe.lookahead:
        yield "validation uses the averaged weights"
    if recipe.test_time_flip:
        yield "validation averages the predictions for each image and its mirror image"


def _mean_of_epoch(epochs: Sequence[EpochEnded], count: int) -> Iterator[str]:
    """That the network still learned during the epoch, unless its next epoch shows that this explains little.

    What the weights at the end of an epoch would have on training images is about the mean of the next one.
    """
    if len(epochs) < _EPOCHS or epochs[-1].train.accuracy >= epochs[-2].validation.accuracy - _margin(
        epochs[-1], count
    ):
        yield "the training accuracy is a mean over the epoch, and validation comes at its end"


def _easier_images(images: ValidationImages) -> str:
    number = pluralize(images.count, "validation image")
    if images.source == "share":
        return (
            f"Nothing in the recipe explains it: by chance the {number} are easier. A larger "
            "validation share tells more."
        )
    return (
        f"Nothing in the recipe explains it: the {number} are probably easier, or some of them are also "
        "training images. Check how they were chosen."
    )
