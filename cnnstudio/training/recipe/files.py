"""Recipes by name: those that come with the program, and the user's own, which lie as files in one folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.parameters import shorten, values_to_json
from cnnstudio.core.paths import home
from cnnstudio.training.recipe.recipe import RECIPES, UNNAMED, Recipe, RecipeError

_NAME = re.compile(r"\w[\w .-]{0,39}")
_SUFFIX = ".json"


def recipes_folder() -> Path:
    """Where the user's own recipes lie."""
    return home() / "recipes"


def own_recipes() -> dict[str, Recipe]:
    """The user's own by name, in the order of the alphabet; files that are no recipes are passed over."""
    try:
        paths = sorted(recipes_folder().glob(f"*{_SUFFIX}"))
    except OSError:
        return {}
    found = {}
    for path in paths:
        try:
            found[path.stem] = _read(path).replace(name=path.stem)
        except RecipeError:
            continue
    return {name: recipe for name, recipe in found.items() if name not in RECIPES}


def known_recipes() -> dict[str, Recipe]:
    """All that have a name; the default first."""
    return {**RECIPES, **own_recipes()}


def read_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or from a file. Raises RecipeError."""
    name = str(name_or_path)
    if name in RECIPES:
        return RECIPES[name]
    if not os.path.exists(name_or_path):
        known = known_recipes()
        if name in known:
            return known[name]
        raise RecipeError(
            f"there is no recipe and no file “{shorten(name)}”; the recipes are {', '.join(known)}"
        )
    return _read(Path(name_or_path))


def save_recipe(recipe: Recipe, name: str) -> Recipe:
    """Keeps the recipe under a name of its own, in place of what had it; gives it with the name.

    Raises RecipeError for a name that cannot be, and FileError where the system refuses.
    """
    name = name.strip()
    if name in RECIPES or name == UNNAMED:
        raise RecipeError(f"“{name}” is a recipe of the program: choose another name")
    if not _NAME.fullmatch(name):
        raise RecipeError(
            "a recipe's name has 1 to 40 letters, digits, blanks, dots or dashes, and begins with a letter "
            "or a digit"
        )
    named = recipe.replace(name=name)
    write_json(recipes_folder() / f"{name}{_SUFFIX}", named.to_json())
    return named


def remove_recipe(name: str) -> None:
    """Forgets one of the user's own. Raises RecipeError."""
    if name not in own_recipes():
        raise RecipeError(f"there is no recipe of yours named “{shorten(name)}”")
    try:
        (recipes_folder() / f"{name}{_SUFFIX}").unlink()
    except OSError as error:
        raise RecipeError(f"the recipe “{name}” cannot be removed: {error.strerror}") from None


def with_known_name(recipe: Recipe) -> Recipe:
    """The recipe under the name of the known one with the same values; without a name if there is none."""
    values = values_to_json(recipe)
    known = next((each for each in known_recipes().values() if values_to_json(each) == values), None)
    return known or recipe.replace(name=UNNAMED)


def _read(path: Path) -> Recipe:
    try:
        return Recipe.from_json(read_json(path))
    except FileError as error:
        raise RecipeError(str(error)) from None
    except RecipeError as error:
        raise RecipeError(f"{path.name}: {error}") from None
