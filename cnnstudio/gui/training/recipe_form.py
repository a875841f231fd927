"""The recipe as a form, made from its parameters: another parameter is another row, without a change here."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.gui.project import Project
from cnnstudio.gui.widgets.fields import Field, make_field
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.layers.params import Parameter, parameters, values_to_json
from cnnstudio.training.recipe import RECIPES, Recipe

_OBJECT_NAMES = {
    "epochs": "epochsField",
    "batch_size": "batchSizeField",
    "optimizer": "optimizerField",
    "learning_rate": "learningRateField",
}
"""Names that automated use holds on to; the others are field_<name>."""

_FIELD_WIDTH = 132


class RecipeForm(QWidget):
    """One row for each parameter. What is done in one visit to a field is one undo step of the project."""

    mistaken = Signal(object)
    """What is wrong with what was typed; empty once it is right."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._fields: dict[str, Field] = {}
        self._visit = 0
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(2, 1)
        for row, parameter in enumerate(parameters(Recipe)):
            self._add_row(grid, row, parameter)
        self._show(project.recipe)
        project.recipe_changed.connect(self._show)

    def field(self, name: str) -> Field:
        """The field of a parameter."""
        return self._fields[name]

    def _add_row(self, grid: QGridLayout, row: int, parameter: Parameter) -> None:
        field = make_field(parameter)
        field.setObjectName(_OBJECT_NAMES.get(parameter.name, f"field_{parameter.name}"))
        field.setToolTip(parameter.help)
        field.setFixedWidth(_FIELD_WIDTH)
        field.edited.connect(lambda value: self._on_edited(parameter.name, value))
        field.mistaken.connect(self.mistaken)
        field.finished.connect(self._on_finished)
        self._fields[parameter.name] = field
        label = Label(parameter.label)
        label.setBuddy(field)
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(Label(parameter.help, "help", "secondary", wrap=True), row, 2)

    def _on_edited(self, name: str, value: object) -> None:
        changed = self._project.recipe.replace(**{name: value}, name="custom")
        self._project.set_recipe(_with_known_name(changed), merge=("recipe", name, self._visit))

    def _on_finished(self, _: object) -> None:
        self._visit += 1
        self.mistaken.emit("")

    def _show(self, recipe: Recipe) -> None:
        for name, field in self._fields.items():
            field.set_value(getattr(recipe, name))
        self._fields["momentum"].setEnabled(recipe.optimizer == "sgd")


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
        self._name = Label("", "help", "secondary")
        self._mistake = Label("", "help", "wrong", wrap=True)
        self._mistake.setObjectName("recipeMistake")
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(Label("Recipe", "title"))
        title.addWidget(self._name, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(12)
        column.addLayout(title)
        column.addWidget(self.form)
        column.addWidget(self._mistake)
        self._mistake.hide()
        # The window's own keys do not reach into a popup.
        for key, act in (
            (QKeySequence.StandardKey.Undo, project.undo_stack.undo),
            (QKeySequence.StandardKey.Redo, project.undo_stack.redo),
        ):
            QShortcut(QKeySequence(key), self).activated.connect(act)
        self.form.mistaken.connect(self._on_mistaken)
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
        self.form.field("epochs").setFocus()

    def _on_mistaken(self, sentence: object) -> None:
        self._mistake.setText(str(sentence))
        self._mistake.setVisible(bool(sentence))
        self.adjustSize()

    def _on_recipe_changed(self, _: object = None) -> None:
        self._name.setText(self._project.recipe.name)
