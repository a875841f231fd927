"""The recipe as a value and as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnstudio.core.parameters import parameters
from cnnstudio.data.augmentation.augmentation import UNCHANGED, Augmentation
from cnnstudio.design.templates import templates
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import FIELD_GROUPS, LESSON, RECIPES, STUDIO, Recipe, RecipeError


def test_the_lesson_is_the_lesson_to_the_letter() -> None:
    assert (LESSON.optimizer, LESSON.learning_rate, LESSON.schedule) == ("adam", 0.001, "constant")
    assert (LESSON.batch_size, LESSON.epochs, LESSON.validation_share) == (32, 10, 0.0)
    assert (LESSON.label_smoothing, LESSON.weight_decay, LESSON.average_decay) == (0.0, 0.0, 0.0)
    assert LESSON.augmentation == UNCHANGED


def test_the_default_recipe_comes_first() -> None:
    assert next(iter(RECIPES)) == "studio"


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("epochs", 0, "epochs: 0 is out of range: 1 to 10,000"),
        ("batch_size", 0, "batch_size: 0 is out of range"),
        ("batch_size", 2.5, "batch_size: a whole number"),
        ("learning_rate", float("nan"), "learning_rate: a number that is not finite is out of range"),
        ("learning_rate", 0, "learning_rate: 0 is out of range"),
        (
            "optimizer",
            "adamax",
            "optimizer: “adamax” is not possible; one of sgd, adam, adamw, rmsprop, muon is",
        ),
        ("validation_share", 1, "validation_share: 1 is out of range"),
        ("flip", "yes", "flip: “yes” is not possible; one of off, random, alternating is"),
        ("seed", -1, "seed: -1 is out of range"),
        ("name", 3, "name: text is needed, not 3"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(field: str, value: object, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        LESSON.replace(**{field: value})


def test_every_field_but_the_name_has_range_and_help() -> None:
    described = {parameter.name for parameter in parameters(Recipe) if parameter.help}
    assert described | {"name"} == set(LESSON.__dataclass_fields__)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), Recipe("mine", epochs=3, shift=4)])
def test_a_recipe_comes_back_from_its_file_as_it_was(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe.to_json()))
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(("before", "now"), [("true", "random"), ("false", "off")])
def test_a_recipe_of_the_first_version_says_whether_it_flips(before: str, now: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(f'{{"format": "cnnstudio.recipe", "version": 1, "flip": {before}, "shift": 2}}')
    assert read_recipe(path).augmentation == Augmentation(flip=now, shift=2)


def test_each_field_stands_in_one_group() -> None:
    grouped = [name for names in FIELD_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(parameter.name for parameter in parameters(Recipe))


def test_fields_without_effect_are_known() -> None:
    assert {"momentum", "step_epochs", "warm_up_start", "shift_border"} <= LESSON.idle_fields
    assert not {"momentum", "warm_up_start", "shift_border"} & STUDIO.idle_fields
    assert "step_epochs" not in LESSON.replace(schedule="step").idle_fields
    assert "warm_up_start" not in LESSON.replace(warm_up=0.1).idle_fields


def test_an_average_takes_a_number_for_each_weight() -> None:
    assert LESSON.replace(average_decay=0.99).optimizer_slots == LESSON.optimizer_slots + 1


def test_recipes_that_were_made_for_a_template_exist() -> None:
    made = {each.recipe for each in templates().values()} - {None}
    assert made
    assert made <= set(RECIPES)


def test_a_recipe_is_found_by_name() -> None:
    assert read_recipe("studio") is STUDIO


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "mine.json is not a whole JSON file: .*line 1, column 2"),
        ("[]", "this is no recipe"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": "cnnstudio.recipe"}', "version: a whole number from 1 is needed, not null"),
        ('{"format": "cnnstudio.recipe", "version": 2}', "reads up to 1, so update"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epochs": "ten"}', "epochs: a whole number"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epoch": 3}', "epoch: Recipe has no such parameter"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epochs": ' + "9" * 5000 + "}", "4300 digits"),
        ('{"format": "cnnstudio.recipe", "version": 1, "name": 5}', "name: text is needed"),
    ],
)
def test_a_faulty_recipe_file_is_refused_in_one_line(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RecipeError, match=part) as caught:
        read_recipe(path)
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / "photo.json"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeError, match="is not a JSON file"):
        read_recipe(path)


@pytest.mark.parametrize("name", ["studyo", "a\0b", "x" * 5000])
def test_a_recipe_that_is_not_there_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(RecipeError, match="no recipe and no file"):
        read_recipe(name)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Cannot read"):
        read_recipe(tmp_path)
