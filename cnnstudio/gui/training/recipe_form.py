"""The recipe as a form, made from its parameters: another parameter is another row, without a change here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence, QShortcut, QValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.gui.project import Project
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.layers.params import Choice, Flag, Integer, Number, Parameter, parameters, values_to_json
from cnnstudio.training.recipe import RECIPES, Recipe

_OBJECT_NAMES = {
    "epochs": "epochsField",
    "batch_size": "batchSizeField",
    "optimizer": "optimizerField",
    "learning_rate": "learningRateField",
}
"""Names that automated use holds on to; the others are field_<name>."""


class NumberField(QDoubleSpinBox):
    """A number of any size, written as people write it: `0.05`, `1e-05`; the arrows change its last digit."""

    def __init__(self, parameter: Number) -> None:
        super().__init__()
        self.setDecimals(12)
        self.setRange(parameter.minimum, parameter.maximum)

    def textFromValue(self, value: float) -> str:
        return f"{value:g}"

    def valueFromText(self, text: str) -> float:
        return _number(text) or 0.0

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        value = _number(text)
        if value is None:
            possible = all(character in "0123456789.,eE+- " for character in text)
            state = QValidator.State.Intermediate if possible else QValidator.State.Invalid
        else:
            inside = self.minimum() <= value <= self.maximum()
            state = QValidator.State.Acceptable if inside else QValidator.State.Intermediate
        return state, text, position

    def stepBy(self, steps: int) -> None:
        value = self.value()
        power = math.floor(math.log10(value) + 1e-9) if value > 0 else -3
        # Down from 0.01 comes 0.009, not 0.
        if steps < 0 and math.isclose(value, 10.0**power):
            power -= 1
        self.setValue(float(f"{value + steps * 10.0**power:.6g}"))


def _number(text: str) -> float | None:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class RecipeForm(QWidget):
    """One row for each parameter. Every change is an undo step of the project; changes in a row are one."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._editors: dict[str, QWidget] = {}
        self._showers: dict[str, Callable[[Any], None]] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(2, 1)
        for row, parameter in enumerate(parameters(Recipe)):
            self._add_row(grid, row, parameter)
        self._show(project.recipe)
        project.recipe_changed.connect(self._show)

    def editor(self, name: str) -> QWidget:
        """The field of a parameter."""
        return self._editors[name]

    def _add_row(self, grid: QGridLayout, row: int, parameter: Parameter) -> None:
        editor = self._make_editor(parameter)
        editor.setObjectName(_OBJECT_NAMES.get(parameter.name, f"field_{parameter.name}"))
        editor.setAccessibleName(parameter.label)
        editor.setAccessibleDescription(parameter.help)
        editor.setToolTip(parameter.help)
        editor.setFixedWidth(132)
        self._editors[parameter.name] = editor
        label = Label(parameter.label)
        label.setBuddy(editor)
        grid.addWidget(label, row, 0)
        grid.addWidget(editor, row, 1)
        grid.addWidget(Label(parameter.help, "help", "secondary", wrap=True), row, 2)

    def _make_editor(self, parameter: Parameter) -> QWidget:
        def change(value: object) -> None:
            self._change(parameter.name, value)

        if isinstance(parameter, Integer):
            whole = QSpinBox()
            whole.setRange(parameter.minimum, parameter.maximum)
            whole.valueChanged.connect(change)
            self._showers[parameter.name] = whole.setValue
            return whole
        if isinstance(parameter, Number):
            number = NumberField(parameter)
            number.valueChanged.connect(change)
            self._showers[parameter.name] = number.setValue
            return number
        if isinstance(parameter, Choice):
            words = QComboBox()
            for choice in parameter.choices:
                words.addItem(choice.replace("_", " "), choice)
            words.currentIndexChanged.connect(lambda index: change(words.itemData(index)))
            self._showers[parameter.name] = lambda value: words.setCurrentIndex(words.findData(value))
            return words
        if isinstance(parameter, Flag):
            box = QCheckBox("on")
            box.toggled.connect(change)
            self._showers[parameter.name] = box.setChecked
            return box
        raise TypeError(f"the recipe form has no field for {type(parameter).__name__}")

    def _change(self, name: str, value: object) -> None:
        changed = self._project.recipe.replace(**{name: value}, name="custom")
        self._project.set_recipe(_with_known_name(changed), merge=("recipe", name))

    def _show(self, recipe: Recipe) -> None:
        for name, show in self._showers.items():
            with QSignalBlocker(self._editors[name]):
                show(getattr(recipe, name))
        self._editors["momentum"].setEnabled(recipe.optimizer == "sgd")


def _with_known_name(recipe: Recipe) -> Recipe:
    """The recipe under the name of the known one with the same values, if there is one."""
    values = values_to_json(recipe)
    return next((known for known in RECIPES.values() if values_to_json(known) == values), recipe)


class RecipePopup(Panel):
    """The form in a panel under the recipe selector; Escape or a click beside it closes it."""

    def __init__(self, project: Project, parent: QWidget) -> None:
        super().__init__("recipePopup")
        self.setParent(parent, Qt.WindowType.Popup)
        self.setFixedWidth(560)
        self.setAccessibleName("Recipe")
        self._project = project
        self.form = RecipeForm(project)
        title = QHBoxLayout()
        title.addWidget(Label("Recipe", "title"))
        self._name: QLabel = Label("", "help", "secondary")
        title.addWidget(self._name, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 14)
        column.setSpacing(12)
        column.addLayout(title)
        column.addWidget(self.form)
        # The window's own shortcuts do not reach into a popup.
        for key, act in (
            (QKeySequence.StandardKey.Undo, project.undo_stack.undo),
            (QKeySequence.StandardKey.Redo, project.undo_stack.redo),
        ):
            QShortcut(QKeySequence(key), self, act)
        project.recipe_changed.connect(self._on_recipe_changed)
        self._on_recipe_changed()

    def open_below(self, widget: QWidget) -> None:
        """Opens under a widget, inside the screen."""
        self.adjustSize()
        place = widget.mapToGlobal(QPoint(0, widget.height() + 4))
        screen = widget.screen().availableGeometry()
        x = max(min(place.x(), screen.right() - self.width()), screen.left())
        y = max(min(place.y(), screen.bottom() - self.height()), screen.top())
        self.move(x, y)
        self.show()
        self.form.editor("epochs").setFocus()

    def _on_recipe_changed(self, _: object = None) -> None:
        self._name.setText(self._project.recipe.name)
