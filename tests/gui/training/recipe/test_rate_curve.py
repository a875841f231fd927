"""The plot of a recipe's learning rate."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.recipe.rate_curve import RateCurve
from cnnstudio.gui.training.recipe.recipe_form import RecipeForm
from cnnstudio.training.recipe.built_in import FAST_GPU, LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe


@pytest.mark.parametrize(
    ("recipe", "summary"),
    [
        (LESSON, "constant 0.001"),
        (STUDIO, "starts at 0.002, peaks at 0.05 in epoch 2, ends at 2e-07"),
        (FAST_GPU, "starts at 0.3, peaks at 1.5 in epoch 3, ends at 0.11"),
        (
            LESSON.replace(schedule="step", step_epochs=5),
            "starts at 0.001, peaks at 0.001 in epoch 1, ends at 0.0001",
        ),
        (
            LESSON.replace(epochs=10_000, schedule="linear"),
            "starts at 0.001, peaks at 0.001 in epoch 1, ends at 1e-07",
        ),
        (
            LESSON.replace(epochs=1, schedule="cosine"),
            "starts at 0.001, peaks at 0.001 in epoch 1, ends at 4.3e-08",
        ),
    ],
)
def test_the_summary_names_start_peak_and_end(qtbot: QtBot, recipe: Recipe, summary: str) -> None:
    curve = RateCurve()
    qtbot.addWidget(curve)
    curve.show_recipe(recipe)
    assert curve.accessibleDescription() == summary


def test_the_curve_rises_and_falls(qtbot: QtBot) -> None:
    curve = RateCurve()
    qtbot.addWidget(curve)
    curve.resize(300, curve.height())
    curve.show_recipe(STUDIO.replace(warm_up=0.3))
    image = curve.grab().toImage()
    color = theme().color("training")

    def height(x: int) -> int:
        """The topmost row in which the curve is visible."""
        for y in range(34, image.height()):
            seen = image.pixelColor(x, y)
            if abs(seen.red() - color.red()) + abs(seen.blue() - color.blue()) < 90:
                return y
        return image.height()

    assert height(5) > height(40) > height(85)
    assert height(85) < height(180) < height(290)


def test_the_curve_follows_the_recipe_of_the_form(qtbot: QtBot) -> None:
    project = Project()
    form = RecipeForm(project)
    qtbot.addWidget(form)
    form.field("schedule")
    curve = form.findChild(RateCurve, "rateCurve")
    project.set_recipe(LESSON)
    assert curve.summary == "constant 0.001"
