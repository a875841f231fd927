"""The recipe form and its popup."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.core.parameters import parameters
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.recipe.recipe_popup import RecipePopup
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.files import save_recipe, user_recipes
from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe


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


def test_fields_have_the_names_that_other_programs_rely_on(popup: RecipePopup) -> None:
    assert field(popup, "epochsField").value() == STUDIO.epochs
    assert field(popup, "batchSizeField").value() == STUDIO.batch_size
    assert popup.findChild(QComboBox, "optimizerField").currentText() == STUDIO.optimizer
    assert popup.findChild(QDoubleSpinBox, "learningRateField").value() == STUDIO.learning_rate
    popup.form.show_field("shift")
    assert field(popup, "field_shift").value() == STUDIO.shift


def test_typed_values_change_the_recipe(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "epochsField"), "12")
    write(qtbot, popup.findChild(QDoubleSpinBox, "learningRateField"), "0.003")

    assert project.recipe == STUDIO.replace(epochs=12, learning_rate=0.003, name="custom")


def test_editing_a_field_is_one_undo_step(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "epochsField"), "123")
    write(qtbot, field(popup, "epochsField"), "45")

    project.undo_stack.undo()
    assert project.recipe.epochs == 123
    project.undo_stack.undo()
    assert project.recipe == STUDIO
    assert field(popup, "epochsField").value() == STUDIO.epochs


def test_the_undo_shortcut_works_inside_the_popup(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    write(qtbot, field(popup, "batchSizeField"), "64")
    assert project.recipe.batch_size == 64

    qtbot.keyClick(field(popup, "batchSizeField"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    assert QKeySequence(QKeySequence.StandardKey.Undo).toString() == "Ctrl+Z"
    assert project.recipe == STUDIO


def test_undo_in_the_popup_leaves_the_layers_alone(
    popup: RecipePopup, project: Project, qtbot: QtBot
) -> None:
    project.edit("rename", Network(name="Birds"))
    write(qtbot, field(popup, "batchSizeField"), "64")
    for _ in range(2):
        qtbot.keyClick(field(popup, "batchSizeField"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (project.recipe, project.network.name) == (STUDIO, "Birds")
    qtbot.keySequence(field(popup, "batchSizeField"), QKeySequence(QKeySequence.StandardKey.Redo))
    assert project.recipe.batch_size == 64


def test_the_values_of_a_built_in_recipe_restore_its_name(popup: RecipePopup, project: Project) -> None:
    field(popup, "epochsField").setValue(9)
    assert project.recipe.name == "custom"

    field(popup, "epochsField").setValue(STUDIO.epochs)

    assert project.recipe == STUDIO


def test_an_invalid_value_is_explained(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    epochs = field(popup, "epochsField")
    epochs.setFocus()
    qtbot.keyClick(epochs, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(epochs, "0")

    error = popup.findChild(QLabel, "recipeError")
    assert error.isVisible()
    assert "between 1 and 10,000" in error.text()
    assert project.recipe == STUDIO

    qtbot.keyClick(epochs, Qt.Key.Key_Backspace)
    qtbot.keyClicks(epochs, "7")
    assert not error.isVisible()


@pytest.mark.parametrize(
    ("name", "typed", "value", "note"),
    [
        ("learningRateField", "0,001", 0.001, ""),
        ("learningRateField", "1e9", 100.0, "Learning rate: at most 100."),
        (
            "learningRateField",
            "1,500",
            STUDIO.learning_rate,
            "Learning rate: 1,500 could be 1.500 or 1500: type one of these.",
        ),
        ("epochsField", "1,5", STUDIO.epochs, "Epochs: must be an integer from 1 to 10,000, got 1.5."),
        ("epochsField", "100000000000", 10_000, "Epochs: at most 10,000."),
    ],
)
def test_what_becomes_of_a_typed_number_is_said(
    popup: RecipePopup, project: Project, qtbot: QtBot, name: str, typed: str, value: float, note: str
) -> None:
    edited = popup.findChild(QAbstractSpinBox, name)
    assert isinstance(edited, QSpinBox | QDoubleSpinBox)
    write(qtbot, edited, typed)
    error = popup.findChild(QLabel, "recipeError")
    assert (edited.value(), error.text() if error.isVisible() else "") == (value, note)
    if value in (STUDIO.epochs, STUDIO.learning_rate):
        assert not project.undo_stack.canUndo(), "a refused number changes nothing"


def test_the_form_follows_the_project(popup: RecipePopup, project: Project) -> None:
    project.set_recipe(LESSON)

    assert field(popup, "epochsField").value() == LESSON.epochs
    assert popup.findChild(QComboBox, "optimizerField").currentText() == "adam"


def test_momentum_is_enabled_only_for_sgd(popup: RecipePopup, project: Project) -> None:
    momentum = popup.form.field("momentum")
    assert momentum.isEnabled()

    popup.findChild(QComboBox, "optimizerField").setCurrentText("adamw")

    assert project.recipe.optimizer == "adamw"
    assert not momentum.isEnabled()


def test_each_tab_shows_its_group_of_fields(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    tabs = popup.findChild(QTabBar, "recipeTabs")
    assert [tabs.tabText(number) for number in range(tabs.count())] == [*FIELD_GROUPS]
    for number, names in enumerate(FIELD_GROUPS.values()):
        qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(number).center())
        shown = {
            name for group in FIELD_GROUPS.values() for name in group if popup.form.field(name).isVisible()
        }
        assert shown == set(names)


def test_a_field_on_another_tab_changes_the_recipe(popup: RecipePopup, project: Project) -> None:
    popup.form.show_field("flip")
    popup.findChild(QComboBox, "field_flip").setCurrentText("alternating")
    popup.form.field("lookahead").setChecked(True)
    assert project.recipe == STUDIO.replace(flip="alternating", lookahead=True, name="custom")


def test_a_recipe_is_saved_under_a_name_and_deleted(
    popup: RecipePopup, project: Project, qtbot: QtBot
) -> None:
    save, remove = (popup.findChild(QPushButton, name) for name in ("recipeSave", "recipeRemove"))
    assert not save.isEnabled()
    assert not remove.isEnabled()
    field(popup, "epochsField").setValue(9)
    qtbot.keyClicks(popup.findChild(QLineEdit, "recipeName"), "nine epochs")
    qtbot.mouseClick(save, Qt.MouseButton.LeftButton)

    nine = STUDIO.replace(epochs=9, name="nine epochs")
    assert user_recipes() == {"nine epochs": nine}
    assert project.recipe == nine

    qtbot.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert user_recipes() == {}
    assert project.recipe == nine.replace(name="custom")
    assert not remove.isEnabled()


def test_an_invalid_name_is_explained(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    name = popup.findChild(QLineEdit, "recipeName")
    qtbot.keyClicks(name, "studio")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    error = popup.findChild(QLabel, "recipeError")
    assert error.isVisible()
    assert error.text() == "“studio” is a built-in recipe: choose another name."
    assert user_recipes() == {}
    assert popup.isVisible()


def test_the_values_of_a_user_recipe_restore_its_name(popup: RecipePopup, project: Project) -> None:
    save_recipe(STUDIO.replace(epochs=9), "nine epochs")
    field(popup, "epochsField").setValue(9)
    assert project.recipe.name == "nine epochs"
    assert popup.findChild(QLineEdit, "recipeName").text() == "nine epochs"


def test_a_typed_name_stays_while_settings_change(popup: RecipePopup, project: Project, qtbot: QtBot) -> None:
    name = popup.findChild(QLineEdit, "recipeName")
    qtbot.keyClicks(name, "mine")
    field(popup, "epochsField").setValue(9)
    assert name.text() == "mine"
    qtbot.keyClick(name, Qt.Key.Key_Return)
    field(popup, "epochsField").setValue(7)
    assert (project.recipe.name, name.text()) == ("custom", "mine")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    assert user_recipes()["mine"].epochs == 7
    project.set_recipe(STUDIO)
    assert name.text() == ""


def test_escape_closes_the_popup(popup: RecipePopup, qtbot: QtBot) -> None:
    qtbot.keyClick(popup, Qt.Key.Key_Escape)

    assert not popup.isVisible()
