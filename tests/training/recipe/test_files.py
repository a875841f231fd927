"""The user's own recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.core.files import FileError
from cnnstudio.training.recipe.files import (
    known_recipes,
    own_recipes,
    read_recipe,
    recipes_folder,
    remove_recipe,
    save_recipe,
    with_known_name,
)
from cnnstudio.training.recipe.recipe import LESSON, RECIPES, STUDIO, RecipeError

MINE = STUDIO.replace(epochs=3, mixup=0.2)


def test_without_any_there_are_those_of_the_program() -> None:
    assert own_recipes() == {}
    assert known_recipes() == dict(RECIPES)


def test_a_kept_recipe_is_found_by_its_name() -> None:
    assert save_recipe(MINE, " für Bilder 2 ") == MINE.replace(name="für Bilder 2")
    assert read_recipe("für Bilder 2") == MINE.replace(name="für Bilder 2")
    assert [*known_recipes()] == [*RECIPES, "für Bilder 2"]


def test_the_same_name_again_takes_its_place() -> None:
    save_recipe(MINE, "mine")
    save_recipe(LESSON, "mine")
    assert own_recipes() == {"mine": LESSON.replace(name="mine")}


@pytest.mark.parametrize("name", ["", "  ", "a/b", "../up", "x" * 41, ".hidden", "a\nb", "-x"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="a recipe's name has 1 to 40 letters"):
        save_recipe(MINE, name)
    assert not recipes_folder().exists()


@pytest.mark.parametrize("name", ["studio", "lesson", "fast-cpu", "fast-gpu", "custom"])
def test_a_name_of_the_program_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="choose another name"):
        save_recipe(MINE, name)


def test_faulty_files_do_not_hide_the_others() -> None:
    save_recipe(MINE, "mine")
    (recipes_folder() / "broken.json").write_text("{")
    (recipes_folder() / "studio.json").write_text((recipes_folder() / "mine.json").read_text())
    assert [*own_recipes()] == ["mine"]


def test_a_folder_that_cannot_be_looked_into_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", f"/{'x' * 5000}")
    assert own_recipes() == {}
    assert read_recipe("studio") is STUDIO


def test_a_folder_that_cannot_be_made_is_told(home: Path) -> None:
    home.write_text("a file in the way")
    with pytest.raises(FileError):
        save_recipe(MINE, "mine")


def test_a_removed_recipe_is_gone() -> None:
    save_recipe(MINE, "mine")
    remove_recipe("mine")
    assert own_recipes() == {}
    for name in ("mine", "studio"):
        with pytest.raises(RecipeError, match="there is no recipe of yours"):
            remove_recipe(name)


def test_a_recipe_gets_the_name_of_the_known_one_with_its_values() -> None:
    save_recipe(MINE, "mine")
    assert with_known_name(MINE.replace(name="custom")).name == "mine"
    assert with_known_name(STUDIO.replace(name="custom")) is STUDIO
    assert with_known_name(MINE.replace(epochs=4, name="mine")).name == "custom"
