"""The built-in recipes."""

from __future__ import annotations

from cnnstudio.data.augmentation.augmentation import NO_AUGMENTATION
from cnnstudio.design.templates import templates
from cnnstudio.training.recipe.built_in import LESSON, PURPOSES, RECIPES


def test_the_lesson_recipe_is_exactly_the_lesson() -> None:
    assert (LESSON.optimizer, LESSON.learning_rate, LESSON.schedule) == ("adam", 0.001, "constant")
    assert (LESSON.batch_size, LESSON.epochs, LESSON.validation_share) == (32, 10, 0.0)
    assert (LESSON.label_smoothing, LESSON.weight_decay, LESSON.average_decay) == (0.0, 0.0, 0.0)
    assert LESSON.augmentation == NO_AUGMENTATION


def test_the_default_recipe_comes_first() -> None:
    assert next(iter(RECIPES)) == "studio"


def test_the_recipes_that_templates_name_exist() -> None:
    made = {each.recipe for each in templates().values()} - {None}
    assert made
    assert made <= set(RECIPES)


def test_recipes_for_pretrained_networks_keep_statistics_and_others_do_not() -> None:
    for name, recipe in RECIPES.items():
        kept = name in ("pretrained", "few-images", "fine-tune")
        assert (recipe.batch_norm_statistics == "kept") == kept, name
    assert RECIPES["few-images"].unlocks
    assert RECIPES["many-images"].unlocks_all


def test_each_recipe_is_found_by_its_own_name_and_has_a_purpose() -> None:
    assert [recipe.name for recipe in RECIPES.values()] == list(RECIPES)
    assert list(PURPOSES) == list(RECIPES)
