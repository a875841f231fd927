"""How a network is trained, as a value.

Where it is trained, device and threads, is a setting of the run and not of the recipe.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cnnstudio.files import FileError, read_json
from cnnstudio.layers.errors import ParameterError, UserError
from cnnstudio.layers.params import (
    check_all,
    choice,
    flag,
    integer,
    number,
    shorten,
    shown,
    values_from_json,
    values_to_json,
)

FORMAT = "cnnstudio.recipe"
VERSION = 1
OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "one_cycle")


class RecipeError(UserError):
    """A recipe that cannot be; the message names the field."""


@dataclass(frozen=True)
class Recipe:
    """Optimizer, learning rate, batches and augmentation. Raises RecipeError for a value out of range."""

    name: str = "custom"

    epochs: int = integer(10, maximum=10_000, help="times that all training pictures are seen")
    batch_size: int = integer(32, maximum=65_536, help="pictures for one step", unit="pictures")
    accumulate: int = integer(
        1,
        maximum=1024,
        label="Parts of a batch",
        help="computed one after the other for the same step: more parts take less memory",
    )
    optimizer: str = choice("adam", OPTIMIZERS, help="sgd is SGD with Nesterov momentum")
    learning_rate: float = number(
        0.001, minimum=1e-8, maximum=100.0, help="size of a step; the schedule's highest"
    )
    momentum: float = number(0.9, minimum=0.0, maximum=0.999, help="of sgd; adam and adamw have their own")
    schedule: str = choice("constant", SCHEDULES, help="how the learning rate changes from step to step")
    weight_decay: float = number(
        0.0, minimum=0.0, maximum=1.0, help="pulls weights towards zero, but no biases and norms"
    )
    label_smoothing: float = number(
        0.0, minimum=0.0, maximum=0.9, help="share of the target that is spread over all classes"
    )
    flip: bool = flag(False, label="Flip", help="mirrors half of the pictures left to right")
    shift: int = integer(
        0, minimum=0, maximum=16, help="moves pictures by up to so many pixels", unit="pixels"
    )
    validation_share: float = number(
        0.0, minimum=0.0, maximum=0.5, help="of the training pictures; 0: the test set serves as validation"
    )
    seed: int = integer(0, minimum=0, maximum=2**31 - 1, help="the same seed gives the same run")

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise RecipeError(f"name: text is needed, not {shown(self.name)}")
        try:
            check_all(self)
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    @property
    def optimizer_slots(self) -> int:
        """Numbers that the optimizer keeps for each weight."""
        return int(self.momentum > 0) if self.optimizer == "sgd" else 2

    def to_json(self) -> dict[str, Any]:
        """The content of a recipe file."""
        return {"format": FORMAT, "version": VERSION, "name": self.name, **values_to_json(self)}

    @classmethod
    def from_json(cls, content: Any) -> Recipe:
        """The recipe of a file's content; what is missing takes the defaults. Raises RecipeError."""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise RecipeError(f'this is no recipe: a recipe is a JSON object with "format": "{FORMAT}"')
        version = content.get("version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise RecipeError(f"version: a whole number from 1 is needed, not {shown(version)}")
        if version > VERSION:
            raise RecipeError(
                f"version: this recipe is of version {version}; this program reads up to {VERSION}, so update"
            )
        name = content.get("name", "custom")
        values = {key: value for key, value in content.items() if key not in ("format", "version", "name")}
        try:
            return cls(shorten(name, 100) if isinstance(name, str) else name, **values_from_json(cls, values))
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    def replace(self, **values: Any) -> Recipe:
        """This recipe with other values. Raises RecipeError."""
        return dataclasses.replace(self, **values)


LESSON = Recipe("lesson")
"""The lesson to the letter: Adam, batches of 32, 10 epochs, the test set as validation, no augmentation."""

STUDIO = Recipe(
    "studio",
    epochs=8,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    schedule="one_cycle",
    weight_decay=0.0005,
    label_smoothing=0.1,
    flip=True,
    shift=2,
    validation_share=0.05,
)
"""What learns best in the lesson's network on a CPU."""

RECIPES: Mapping[str, Recipe] = MappingProxyType({"studio": STUDIO, "lesson": LESSON})
"""By name; the default first."""


def read_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or from a file. Raises RecipeError."""
    if str(name_or_path) in RECIPES:
        return RECIPES[str(name_or_path)]
    if not os.path.exists(name_or_path):
        names = ", ".join(RECIPES)
        raise RecipeError(
            f"there is no recipe and no file “{shorten(str(name_or_path))}”; the recipes are {names}"
        )
    path = Path(name_or_path)
    try:
        return Recipe.from_json(read_json(path))
    except FileError as error:
        raise RecipeError(str(error)) from None
    except RecipeError as error:
        raise RecipeError(f"{path.name}: {error}") from None
