"""What of a recipe may change while the run goes on, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cnnstudio.core.parameters import parameters
from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

AUGMENTATION = frozenset(field.name for field in fields(Augmentation))

ADJUSTABLE = frozenset({"epochs", "accumulate", "learning_rate", "weight_decay", "patience"}) | AUGMENTATION
"""Fields that mean the same for a run that has begun as for one that has not."""


def adjusted(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with these values. Raises RecipeError."""
    for name in changes:
        if name not in ADJUSTABLE:
            raise RecipeError(f"{name}: this cannot change while the run goes on")
    return recipe.replace(**changes)


def differences(before: Recipe, after: Recipe) -> list[tuple[str, str, str]]:
    """Name, old and new value, as people read them, of each field that differs."""
    return [
        (each.name, each.text(getattr(before, each.name)), each.text(getattr(after, each.name)))
        for each in parameters(Recipe)
        if getattr(before, each.name) != getattr(after, each.name)
    ]


def continued(asked_before: Recipe, then: Recipe, asked_now: Recipe) -> Recipe:
    """The recipe of a run that goes on after an interruption.

    It is what it had become until `then`, and where something else is asked for than at the beginning, that.
    """
    values = {
        each.name: getattr(asked_now, each.name)
        for each in parameters(Recipe)
        if getattr(asked_now, each.name) != getattr(asked_before, each.name)
    }
    return then.replace(name=asked_now.name, **values)
