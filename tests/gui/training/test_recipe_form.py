"""The recipe's form and its popup."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.project import Project
from cnnstudio.gui.training.recipe_form import RecipePopup
from cnnstudio.layers.params import parameters
from cnnstudio.training.recipe import LESSON, STUDIO, Recipe


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def popup(project: Project, qtbot: QtBot) -> Iterator[RecipePopup]:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    popup = RecipePopup(project, window)
    popup.open_below(window)
    yield popup
    popup.hide()


def field(popup: RecipePopup, name: str) -> QSpinBox:
    found = popup.findChild(QSpinBox, name)
    assert found is not None
    return found


def write(qtbot: QtBot, widget: QWidget, text: str) -> None:
    widget.setFocus()
    qtbot.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(widget, text)
    qtbot.keyClick(widget, Qt.Key.Key_Return)


def test_every_parameter_of_the_recipe_has_a_field_with_help(popup: RecipePopup) -> None:
    for parameter in parameters(Recipe):
        editor = popup.form.field(parameter.name)
        assert editor.toolTip() == parameter.help
        assert editor.accessibleName() == parameter.label
    names = {label.text() for label in popup.findChildren(QLabel)}
    assert {"Epochs", "Learning rate", "Label smoothing"} <= names


def test_the_names_that_others_hold_on_to(popup: RecipePopup) -> None:
    assert field(popup, "epochsField").value() == STUDIO.epochs
    assert field(popup, "batchSizeField").value() == STUDIO.batch_size
    assert popup.findChild(QComboBox, "optimizerField").currentText() == STUDIO.optimizer
    assert popup.findChild(QDoubleSpinBox, "learningRateField").value() == STUDIO.learning_rate
    assert field(popup, "field_shift").value() == STUDIO.shift


def test_what_is_typed_becomes_the_recipe(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "epochsField"), "12")
    write(qtbot, popup.findChild(QDoubleSpinBox, "learningRateField"), "0.003")

    assert project.recipe == STUDIO.replace(epochs=12, learning_rate=0.003, name="custom")


def test_a_visit_to_a_field_is_one_undo_step(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "epochsField"), "123")
    write(qtbot, field(popup, "epochsField"), "45")

    project.undo_stack.undo()
    assert project.recipe.epochs == 123
    project.undo_stack.undo()
    assert project.recipe == STUDIO
    assert field(popup, "epochsField").value() == STUDIO.epochs


def test_undo_works_by_key_inside_the_popup(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "batchSizeField"), "64")
    assert project.recipe.batch_size == 64

    qtbot.keyClick(field(popup, "batchSizeField"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    assert QKeySequence(QKeySequence.StandardKey.Undo).toString() == "Ctrl+Z"
    assert project.recipe == STUDIO


def test_values_of_a_known_recipe_bring_back_its_name(popup: RecipePopup, project: Project) -> None:
    field(popup, "epochsField").setValue(9)
    assert project.recipe.name == "custom"

    field(popup, "epochsField").setValue(STUDIO.epochs)

    assert project.recipe == STUDIO


def test_what_cannot_be_is_explained(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    epochs = field(popup, "epochsField")
    epochs.setFocus()
    qtbot.keyClick(epochs, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(epochs, "0")

    mistake = popup.findChild(QLabel, "recipeMistake")
    assert mistake.isVisible()
    assert "1 to 10,000" in mistake.text()
    assert project.recipe == STUDIO

    qtbot.keyClick(epochs, Qt.Key.Key_Return)
    assert not mistake.isVisible()


def test_the_form_follows_the_project(popup: RecipePopup, project: Project) -> None:
    project.set_recipe(LESSON)

    assert field(popup, "epochsField").value() == LESSON.epochs
    assert popup.findChild(QComboBox, "optimizerField").currentText() == "adam"


def test_momentum_is_for_sgd_alone(popup: RecipePopup, project: Project) -> None:
    momentum = popup.form.field("momentum")
    assert momentum.isEnabled()

    popup.findChild(QComboBox, "optimizerField").setCurrentText("adamw")

    assert project.recipe.optimizer == "adamw"
    assert not momentum.isEnabled()


def test_escape_closes_it(popup: RecipePopup, qtbot: QtBot) -> None:
    qtbot.keyClick(popup, Qt.Key.Key_Escape)

    assert not popup.isVisible()
