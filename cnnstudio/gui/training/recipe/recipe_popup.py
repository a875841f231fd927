"""The recipe form in a popup below its selector, with a row for saving the recipe under a name."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.recipe.recipe_form import RecipeForm
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_tooltip
from cnnstudio.training.recipe.built_in import RECIPES
from cnnstudio.training.recipe.files import delete_recipe, save_recipe, user_recipes
from cnnstudio.training.recipe.recipe import UNNAMED, RecipeError

_WIDTH = 600


class RecipePopup(Panel):
    """Closed by Escape or a click outside."""

    lr_finder_requested = Signal()
    """The user wants to find a learning rate."""
    check_requested = Signal()
    """The user wants to check the cost of the training."""

    def __init__(self, project: Project, parent: QWidget) -> None:
        super().__init__("recipePopup")
        self.setParent(parent, Qt.WindowType.Popup)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("Recipe")
        self._project = project
        self._suggested_name = ""
        self.form = RecipeForm(project)
        self._name = ElidedLabel("", "help", "secondary")
        self._error = Label("", "help", "wrong", wrap=True)
        self._error.setObjectName("recipeError")
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(Label("Recipe", "title"))
        title.addWidget(self._name, 1)
        title.addWidget(self._dialog_button("Find learning rate…", "findRate", self.lr_finder_requested))
        title.addWidget(self._dialog_button("Check before training…", "checkTraining", self.check_requested))
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(12)
        column.addLayout(title)
        column.addWidget(self.form)
        column.addWidget(Line())
        column.addLayout(self._name_row())
        column.addWidget(self._error)
        self._error.hide()
        # The window's shortcuts do not work in a popup, and would undo edits of layers, which it covers.
        for key, act in (
            (QKeySequence.StandardKey.Undo, project.undo_recipe),
            (QKeySequence.StandardKey.Redo, project.redo_recipe),
        ):
            QShortcut(QKeySequence(key), self).activated.connect(act)
        self.form.invalid_input.connect(self._show_error)
        project.recipe_changed.connect(self._on_recipe_changed)
        self._on_recipe_changed()

    def _dialog_button(self, text: str, name: str, requested: SignalInstance) -> QPushButton:
        """A button that closes the popup and requests a dialog."""
        button = QPushButton(text)
        button.setObjectName(name)
        button.setProperty("role", "quiet")
        button.setAutoDefault(False)
        button.clicked.connect(self.hide)
        button.clicked.connect(requested)
        return button

    def _name_row(self) -> QHBoxLayout:
        """The row for saving the recipe under a name."""
        self._name_field = QLineEdit()
        self._name_field.setObjectName("recipeName")
        self._name_field.setAccessibleName("Recipe name")
        self._name_field.setPlaceholderText("Save these settings as…")
        self._name_field.setMaxLength(40)
        self._save = QPushButton("Save")
        self._save.setObjectName("recipeSave")
        self._save.setAutoDefault(False)
        self._save.setToolTip("Save this recipe to the list of recipes")
        self._delete = QPushButton("Delete")
        self._delete.setObjectName("recipeRemove")
        self._delete.setAutoDefault(False)
        self._name_field.textChanged.connect(self._on_name_changed)
        self._name_field.returnPressed.connect(self._on_save)
        self._save.clicked.connect(self._on_save)
        self._delete.clicked.connect(self._on_delete)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._name_field, 1)
        row.addWidget(self._save)
        row.addWidget(self._delete)
        return row

    def open_below(self, widget: QWidget) -> None:
        """Opens below a widget, within the screen."""
        self.adjustSize()
        place = widget.mapToGlobal(QPoint(0, widget.height() + 4))
        screen = widget.screen().availableGeometry()
        x = max(min(place.x(), screen.right() - self.width()), screen.left())
        y = max(min(place.y(), screen.bottom() - self.height()), screen.top())
        self.move(x, y)
        self.show()
        self.form.show_field("epochs")

    def _on_save(self) -> None:
        try:
            recipe = save_recipe(self._project.recipe, self._name_field.text())
        except (RecipeError, FileError) as error:
            self._show_error(_error_text(error))
            return
        self._show_error("")
        self._project.set_recipe(recipe)

    def _on_delete(self) -> None:
        recipe = self._project.recipe
        try:
            delete_recipe(recipe.name)
        except RecipeError as error:
            self._show_error(_error_text(error))
            return
        self._project.set_recipe(recipe.replace(name=UNNAMED))

    def _on_name_changed(self, text: str) -> None:
        self._save.setEnabled(bool(text.strip()))

    def _show_error(self, message: object) -> None:
        self._error.setText(str(message))
        self._error.setVisible(bool(message))
        self.adjustSize()

    def _on_recipe_changed(self, _: object = None) -> None:
        name = self._project.recipe.name
        is_user_recipe = name not in RECIPES and name in user_recipes()
        self._name.set_full_text("modified, not saved" if name == UNNAMED else name)
        # Keep what the user typed, and the name of a modified user recipe, so that it can be saved again.
        if is_user_recipe or (name in RECIPES and self._name_field.text() == self._suggested_name):
            self._suggested_name = name if is_user_recipe else ""
            self._name_field.setText(self._suggested_name)
        self._on_name_changed(self._name_field.text())
        self._delete.setEnabled(is_user_recipe)
        text = f"Delete “{name}”" if is_user_recipe else "Built-in recipes cannot be deleted"
        self._delete.setToolTip(plain_tooltip(text))


def _error_text(error: Exception) -> str:
    """The error message as a complete sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
