"""Recipes by name: those of the program, and the user's own, which are files in one folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.formatting import list_names
from cnnstudio.core.parameters import shorten, values_to_json
from cnnstudio.core.paths import home
from cnnstudio.training.recipe.built_in import RECIPES
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe, RecipeError

_NAME = re.compile(r"\w[\w .-]{0,39}")
_SUFFIX = ".json"


def recipes_folder() -> Path:
    """Where the user's own recipes are."""
    return home() / "recipes"


def user_recipes() -> dict[str, Recipe]:
    """The user's own recipes by name, in alphabetical order; invalid files are skipped."""
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
    """All recipes by name; the default first."""
    return {**RECIPES, **user_recipes()}


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
            f"no recipe or file named “{shorten(name)}”; available recipes: {list_names(known)}"
        )
    return _read(Path(name_or_path))


def save_recipe(recipe: Recipe, name: str) -> Recipe:
    """Saves the recipe under a name, replacing an earlier one of that name; returns it with the name.

    Raises RecipeError for an invalid name, and FileError if the file cannot be written.
    """
    name = name.strip()
    if name in RECIPES or name == UNNAMED:
        raise RecipeError(f"“{name}” is a built-in recipe: choose another name")
    if not _NAME.fullmatch(name):
        raise RecipeError(
            "a recipe name must have 1 to 40 letters, digits, spaces, dots or dashes, and begin with a "
            "letter or digit"
        )
    named = recipe.replace(name=name)
    write_json(recipes_folder() / f"{name}{_SUFFIX}", named.to_json())
    return named


def delete_recipe(name: str) -> None:
    """Deletes one of the user's own recipes. Raises RecipeError."""
    if name not in user_recipes():
        raise RecipeError(f"you have no recipe named “{shorten(name)}”")
    try:
        (recipes_folder() / f"{name}{_SUFFIX}").unlink()
    except OSError as error:
        raise RecipeError(f"cannot delete the recipe “{name}”: {error.strerror}") from None


def with_known_name(recipe: Recipe) -> Recipe:
    """The known recipe with the same values; without one, the recipe as UNNAMED."""
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
