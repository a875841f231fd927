"""Which fields of a recipe may change while a run trains, or when it resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cnnstudio.core.parameters import parameters
from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

AUGMENTATION = frozenset(field.name for field in fields(Augmentation))

CHANGEABLE_WHILE_TRAINING = (
    frozenset({"epochs", "accumulate", "learning_rate", "weight_decay", "patience"}) | AUGMENTATION
)
"""Fields that have the same meaning in the middle of a run as at its beginning.

Not among them is, for example, the batch size: it decides what a step is, by which positions are counted.
"""


def apply_changes(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with the changes. Raises RecipeError for an invalid value or another field."""
    for name in changes:
        if name not in CHANGEABLE_WHILE_TRAINING:
            raise RecipeError(f"{name}: cannot be changed while training")
    return recipe.replace(**changes)


def differences(before: Recipe, after: Recipe) -> list[tuple[str, str, str]]:
    """(name, old value, new value), with the values as text, of each field that differs."""
    return [
        (each.name, each.text(getattr(before, each.name)), each.text(getattr(after, each.name)))
        for each in parameters(Recipe)
        if getattr(before, each.name) != getattr(after, each.name)
    ]


def resumed_recipe(original: Recipe, saved: Recipe, requested: Recipe) -> Recipe:
    """The recipe of a resumed run: that of its checkpoint (`saved`), with what is requested otherwise now.

    Otherwise means different from the `original` request, not from the checkpoint: a change made while the
    run trained stays, unless the user now asks for something new.
    """
    values = {
        each.name: getattr(requested, each.name)
        for each in parameters(Recipe)
        if getattr(requested, each.name) != getattr(original, each.name)
    }
    return saved.replace(name=requested.name, **values)
