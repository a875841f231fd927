"""The user's own recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.core.files import FileError
from cnnstudio.training.recipe.built_in import LESSON, RECIPES, STUDIO
from cnnstudio.training.recipe.files import (
    delete_recipe,
    known_recipes,
    read_recipe,
    recipes_folder,
    save_recipe,
    user_recipes,
    with_known_name,
)
from cnnstudio.training.recipe.recipe import RecipeError

MINE = STUDIO.replace(epochs=3, mixup=0.2)


def test_without_user_recipes_only_the_built_in_ones_are_known() -> None:
    assert user_recipes() == {}
    assert known_recipes() == dict(RECIPES)


def test_a_saved_recipe_is_found_by_its_name() -> None:
    assert save_recipe(MINE, " für Bilder 2 ") == MINE.replace(name="für Bilder 2")
    assert read_recipe("für Bilder 2") == MINE.replace(name="für Bilder 2")
    assert [*known_recipes()] == [*RECIPES, "für Bilder 2"]


def test_saving_under_the_same_name_replaces_the_recipe() -> None:
    save_recipe(MINE, "mine")
    save_recipe(LESSON, "mine")
    assert user_recipes() == {"mine": LESSON.replace(name="mine")}


@pytest.mark.parametrize("name", ["", "  ", "a/b", "../up", "x" * 41, ".hidden", "a\nb", "-x"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="a recipe name must have 1 to 40 letters"):
        save_recipe(MINE, name)
    assert not recipes_folder().exists()


@pytest.mark.parametrize("name", ["studio", "lesson", "fast-cpu", "fast-gpu", "custom"])
def test_the_name_of_a_built_in_recipe_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="choose another name"):
        save_recipe(MINE, name)


def test_invalid_files_do_not_hide_the_others() -> None:
    save_recipe(MINE, "mine")
    (recipes_folder() / "broken.json").write_text("{")
    (recipes_folder() / "studio.json").write_text((recipes_folder() / "mine.json").read_text())
    assert [*user_recipes()] == ["mine"]


def test_an_unreadable_folder_yields_no_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", f"/{'x' * 5000}")
    assert user_recipes() == {}
    assert read_recipe("studio") is STUDIO


def test_a_folder_that_cannot_be_created_is_an_error(home: Path) -> None:
    home.write_text("a file in the way")
    with pytest.raises(FileError):
        save_recipe(MINE, "mine")


def test_a_deleted_recipe_is_gone() -> None:
    save_recipe(MINE, "mine")
    delete_recipe("mine")
    assert user_recipes() == {}
    for name in ("mine", "studio"):
        with pytest.raises(RecipeError, match="you have no recipe named"):
            delete_recipe(name)


def test_a_recipe_gets_the_name_of_the_known_one_with_its_values() -> None:
    save_recipe(MINE, "mine")
    assert with_known_name(MINE.replace(name="custom")).name == "mine"
    assert with_known_name(STUDIO.replace(name="custom")) is STUDIO
    assert with_known_name(MINE.replace(epochs=4, name="mine")).name == "custom"
