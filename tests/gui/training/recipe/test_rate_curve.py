"""The drawing of a recipe's learning rate."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.recipe.rate_curve import RateCurve
from cnnstudio.gui.training.recipe.recipe_form import RecipeForm
from cnnstudio.training.recipe.recipe import FAST_GPU, LESSON, STUDIO, Recipe


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (LESSON, "always 0.001"),
        (STUDIO, "begins at 0.002, highest 0.05 in epoch 2, ends at 2e-07"),
        (FAST_GPU, "begins at 0.3, highest 1.5 in epoch 3, ends at 0.11"),
        (
            LESSON.replace(schedule="step", step_epochs=5),
            "begins at 0.001, highest 0.001 in epoch 1, ends at 0.0001",
        ),
        (
            LESSON.replace(epochs=10_000, schedule="linear"),
            "begins at 0.001, highest 0.001 in epoch 1, ends at 1e-07",
        ),
        (
            LESSON.replace(epochs=1, schedule="cosine"),
            "begins at 0.001, highest 0.001 in epoch 1, ends at 4.3e-08",
        ),
    ],
)
def test_it_says_where_the_rate_begins_and_ends(qtbot: QtBot, recipe: Recipe, sentence: str) -> None:
    curve = RateCurve()
    qtbot.addWidget(curve)
    curve.show_recipe(recipe)
    assert curve.accessibleDescription() == sentence


def test_it_draws_a_line_that_rises_and_falls(qtbot: QtBot) -> None:
    curve = RateCurve()
    qtbot.addWidget(curve)
    curve.resize(300, curve.height())
    curve.show_recipe(STUDIO.replace(warm_up=0.3))
    image = curve.grab().toImage()
    color = theme().color("training")

    def height(x: int) -> int:
        """The first row from above in which the line is seen."""
        for y in range(34, image.height()):
            seen = image.pixelColor(x, y)
            if abs(seen.red() - color.red()) + abs(seen.blue() - color.blue()) < 90:
                return y
        return image.height()

    assert height(5) > height(40) > height(85)
    assert height(85) < height(180) < height(290)


def test_it_follows_the_recipe_of_the_form(qtbot: QtBot) -> None:
    project = Project()
    form = RecipeForm(project)
    qtbot.addWidget(form)
    form.field("schedule")
    curve = form.findChild(RateCurve, "rateCurve")
    project.set_recipe(LESSON)
    assert curve.sentence == "always 0.001"
