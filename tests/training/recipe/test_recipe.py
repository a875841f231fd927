"""The recipe as a value and as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnstudio.core.parameters import parameters
from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.training.recipe.built_in import LESSON, RECIPES, STUDIO
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe, RecipeError


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("epochs", 0, "epochs: must be between 1 and 10,000, got 0"),
        ("batch_size", 0, "batch_size: must be between 1 and 65,536, got 0"),
        ("batch_size", 2.5, "batch_size: must be an integer"),
        ("learning_rate", float("nan"), "learning_rate: must be between 1e-08 and 100, got NaN"),
        ("learning_rate", 0, "learning_rate: must be between 1e-08 and 100, got 0"),
        (
            "optimizer",
            "adamax",
            "optimizer: “adamax” is not valid; choose sgd, adam, adamw, rmsprop or muon",
        ),
        ("validation_share", 1, "validation_share: must be between 0 and 0.5, got 1"),
        ("flip", "yes", "flip: “yes” is not valid; choose off, random or alternating"),
        ("seed", -1, "seed: must be between 0 and 2,147,483,647, got -1"),
        ("name", 3, "name: must be text, got 3"),
    ],
)
def test_an_invalid_value_is_reported_with_its_field(field: str, value: object, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        LESSON.replace(**{field: value})


def test_every_field_except_the_name_has_a_range_and_help() -> None:
    described = {parameter.name for parameter in parameters(Recipe) if parameter.help}
    assert described | {"name"} == set(LESSON.__dataclass_fields__)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), Recipe("mine", epochs=3, shift=4)])
def test_a_recipe_survives_a_file_round_trip(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe.to_json()))
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(("before", "now"), [("true", "random"), ("false", "off")])
def test_flip_may_be_a_boolean_as_in_version_0_1(before: str, now: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(f'{{"format": "cnnstudio.recipe", "version": 1, "flip": {before}, "shift": 2}}')
    assert read_recipe(path).augmentation == Augmentation(flip=now, shift=2)


def test_each_field_is_in_exactly_one_group() -> None:
    grouped = [name for names in FIELD_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(parameter.name for parameter in parameters(Recipe))


def test_fields_without_effect_are_known() -> None:
    assert {"momentum", "step_epochs", "warm_up_start", "shift_border"} <= LESSON.unused_fields
    assert not {"momentum", "warm_up_start", "shift_border"} & STUDIO.unused_fields
    assert "step_epochs" not in LESSON.replace(schedule="step").unused_fields
    assert "warm_up_start" not in LESSON.replace(warm_up=0.1).unused_fields


def test_a_weight_average_adds_an_optimizer_slot() -> None:
    assert LESSON.replace(average_decay=0.99).optimizer_slots == LESSON.optimizer_slots + 1


def test_a_recipe_is_found_by_name() -> None:
    assert read_recipe("studio") is STUDIO


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "mine.json is not valid JSON: .*line 1, column 2"),
        ("[]", "not a recipe: expected a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": "cnnstudio.recipe"}', "version: must be an integer from 1, got null"),
        ('{"format": "cnnstudio.recipe", "version": 2}', "reads recipes up to version 1, not 2: update it"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epochs": "ten"}', "epochs: must be an integer"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epoch": 3}', "epoch: Recipe has no such parameter"),
        ('{"format": "cnnstudio.recipe", "version": 1, "epochs": ' + "9" * 5000 + "}", "4300 digits"),
        ('{"format": "cnnstudio.recipe", "version": 1, "name": 5}', "name: must be text"),
    ],
)
def test_an_invalid_recipe_file_is_refused_in_one_line(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RecipeError, match=part) as caught:
        read_recipe(path)
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.json"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeError, match="is not a JSON file"):
        read_recipe(path)


@pytest.mark.parametrize("name", ["studyo", "a\0b", "x" * 5000])
def test_a_missing_recipe_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(RecipeError, match="no recipe or file named"):
        read_recipe(name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Cannot read"):
        read_recipe(tmp_path)
