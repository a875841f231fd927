"""The recipe's form in a panel under its selector, with a place to keep a recipe under a name."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.recipe.recipe_form import RecipeForm
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.training.recipe.files import own_recipes, remove_recipe, save_recipe
from cnnstudio.training.recipe.recipe import RECIPES, UNNAMED, RecipeError

_WIDTH = 600


class RecipePopup(Panel):
    """Escape or a click beside it closes it."""

    rate_wanted = Signal()
    """The recipe's learning rate is to be found by a trial."""
    check_wanted = Signal()
    """What the recipe's training takes is to be measured."""

    def __init__(self, project: Project, parent: QWidget) -> None:
        super().__init__("recipePopup")
        self.setParent(parent, Qt.WindowType.Popup)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("Recipe")
        self._project = project
        self._filled = ""
        self.form = RecipeForm(project)
        self._name = Label("", "help", "secondary")
        self._mistake = Label("", "help", "wrong", wrap=True)
        self._mistake.setObjectName("recipeMistake")
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(Label("Recipe", "title"))
        title.addWidget(self._name, 1)
        title.addWidget(self._trial("Find a learning rate…", "findRate", self.rate_wanted))
        title.addWidget(self._trial("Check before training…", "checkTraining", self.check_wanted))
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(12)
        column.addLayout(title)
        column.addWidget(self.form)
        column.addWidget(Line())
        column.addLayout(self._keeping())
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

    def _trial(self, text: str, name: str, wanted: SignalInstance) -> QPushButton:
        """A button that closes the panel and has something tried out."""
        button = QPushButton(text)
        button.setObjectName(name)
        button.setProperty("role", "quiet")
        button.setAutoDefault(False)
        button.clicked.connect(self.hide)
        button.clicked.connect(wanted)
        return button

    def _keeping(self) -> QHBoxLayout:
        """The row in which a recipe gets a name."""
        self._own_name = QLineEdit()
        self._own_name.setObjectName("recipeName")
        self._own_name.setAccessibleName("Name of your own recipe")
        self._own_name.setPlaceholderText("keep these settings under a name")
        self._own_name.setMaxLength(40)
        self._save = QPushButton("Save")
        self._save.setObjectName("recipeSave")
        self._save.setAutoDefault(False)
        self._save.setToolTip("Keeps the recipe among those to choose from")
        self._remove = QPushButton("Remove")
        self._remove.setObjectName("recipeRemove")
        self._remove.setAutoDefault(False)
        self._own_name.textChanged.connect(self._on_name_changed)
        self._own_name.returnPressed.connect(self._on_save)
        self._save.clicked.connect(self._on_save)
        self._remove.clicked.connect(self._on_remove)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._own_name, 1)
        row.addWidget(self._save)
        row.addWidget(self._remove)
        return row

    def open_below(self, widget: QWidget) -> None:
        """Opens under a widget, inside the screen."""
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
            recipe = save_recipe(self._project.recipe, self._own_name.text())
        except (RecipeError, FileError) as error:
            self._on_mistaken(_sentence(error))
            return
        self._on_mistaken("")
        self._project.set_recipe(recipe)

    def _on_remove(self) -> None:
        recipe = self._project.recipe
        try:
            remove_recipe(recipe.name)
        except RecipeError as error:
            self._on_mistaken(_sentence(error))
            return
        self._project.set_recipe(recipe.replace(name=UNNAMED))

    def _on_name_changed(self, text: str) -> None:
        self._save.setEnabled(bool(text.strip()))

    def _on_mistaken(self, sentence: object) -> None:
        self._mistake.setText(str(sentence))
        self._mistake.setVisible(bool(sentence))
        self.adjustSize()

    def _on_recipe_changed(self, _: object = None) -> None:
        name = self._project.recipe.name
        own = name not in RECIPES and name in own_recipes()
        self._name.setText("changed, not kept yet" if name == UNNAMED else name)
        # What the user wrote stays; so does the name of an own recipe that was changed, to keep it anew.
        if own or (name in RECIPES and self._own_name.text() == self._filled):
            self._filled = name if own else ""
            self._own_name.setText(self._filled)
        self._on_name_changed(self._own_name.text())
        self._remove.setEnabled(own)
        self._remove.setToolTip(f"Takes “{name}” off the list" if own else "Recipes of the program stay")


def _sentence(error: Exception) -> str:
    """The message as a sentence of its own."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
