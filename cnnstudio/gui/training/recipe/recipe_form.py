"""The recipe as a form, generated from its parameters, so that a new parameter needs no change here."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from cnnstudio.core.parameters import Parameter, parameters
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.recipe.rate_curve import RateCurve
from cnnstudio.gui.widgets.fields.make_field import Field, make_field
from cnnstudio.gui.widgets.fields.numbers import IntegerField, NumberField
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.training.recipe.files import with_known_name
from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe

_OBJECT_NAMES = {
    "epochs": "epochsField",
    "batch_size": "batchSizeField",
    "optimizer": "optimizerField",
    "learning_rate": "learningRateField",
}
"""Object names that other programs rely on; the other fields are called field_<name>."""

_FIELD_WIDTH = 132
_LABEL_WIDTH = 112
_ROW_HEIGHT = 32
_ROW_GAP = 8
_MAX_ROWS = max(map(len, FIELD_GROUPS.values()))


class RecipeForm(QWidget):
    """A tab for each group of parameters, with one row per parameter; pages are created when first shown.

    All edits between entering and leaving a field are one undo step of the project.
    """

    invalid_input = Signal(object)
    """Why the typed text is invalid, or what became of it; empty once it is valid."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._parameters = {parameter.name: parameter for parameter in parameters(Recipe)}
        self._fields: dict[str, Field] = {}
        self._labels: dict[str, tuple[Label, Label]] = {}
        self._curve: RateCurve | None = None
        self._edit_session = 0
        self.tabs = QTabBar()
        self.tabs.setObjectName("recipeTabs")
        self.tabs.setAccessibleName("Groups of settings")
        self.tabs.setExpanding(False)
        self._pages = QStackedWidget()
        self._page_of = {name: n for n, names in enumerate(FIELD_GROUPS.values()) for name in names}
        self._empty_pages = {number: QWidget() for number in range(len(FIELD_GROUPS))}
        self._pages.setMinimumHeight(_MAX_ROWS * (_ROW_HEIGHT + _ROW_GAP) - _ROW_GAP)
        for title, page in zip(FIELD_GROUPS, self._empty_pages.values(), strict=True):
            self.tabs.addTab(title)
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.tabs)
        column.addWidget(self._pages)
        self._show_page(0)
        self.tabs.currentChanged.connect(self._show_page)
        project.recipe_changed.connect(self._show)

    def field(self, name: str) -> Field:
        """The field of a parameter, created on first access."""
        if name not in self._fields:
            self._create_page(self._page_of[name])
        return self._fields[name]

    def show_field(self, name: str) -> None:
        """Shows the field's page and gives the field the focus."""
        field = self.field(name)
        self.tabs.setCurrentIndex(self._page_of[name])
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_page(self, number: int) -> None:
        self._create_page(number)
        self._pages.setCurrentIndex(number)

    def _create_page(self, number: int) -> None:
        page = self._empty_pages.pop(number, None)
        if page is None:
            return
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(_ROW_GAP)
        grid.setColumnMinimumWidth(0, _LABEL_WIDTH)
        grid.setColumnStretch(2, 1)
        names = [*FIELD_GROUPS.values()][number]
        for row, name in enumerate(names):
            self._add_row(grid, row, self._parameters[name])
        if "schedule" in names:
            self._curve = RateCurve()
            grid.addWidget(self._curve, len(names), 0, 1, 3)
        grid.setRowStretch(len(names) + 1, 1)
        self._show(self._project.recipe)

    def _add_row(self, grid: QGridLayout, row: int, parameter: Parameter) -> None:
        field = make_field(parameter)
        field.setObjectName(_OBJECT_NAMES.get(parameter.name, f"field_{parameter.name}"))
        field.setToolTip(parameter.help)
        field.setFixedWidth(_FIELD_WIDTH)
        field.edited.connect(lambda value: self._on_edited(parameter.name, value))
        field.invalid_input.connect(lambda text: self._on_invalid(parameter, text))
        field.finished.connect(self._on_finished)
        if isinstance(field, IntegerField | NumberField):
            field.corrected.connect(lambda text: self._on_invalid(parameter, text))
        self._fields[parameter.name] = field
        label = Label(parameter.label)
        # No line break inside `0 = off`.
        help_text = parameter.help.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        help_label = Label(help_text, "help", "secondary", wrap=True)
        label.setBuddy(field)
        self._labels[parameter.name] = label, help_label
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(help_label, row, 2)
        grid.setRowMinimumHeight(row, _ROW_HEIGHT)

    def _on_edited(self, name: str, value: object) -> None:
        changed = with_known_name(self._project.recipe.replace(**{name: value}))
        self._project.set_recipe(changed, merge=("recipe", name, self._edit_session))

    def _on_invalid(self, parameter: Parameter, text: str) -> None:
        """Names the field: the message stands below the form, and the field may have been left."""
        self.invalid_input.emit(f"{parameter.label}: {text[:1].lower()}{text[1:]}" if text else "")

    def _on_finished(self, _: object) -> None:
        self._edit_session += 1
        self.invalid_input.emit("")

    def _show(self, recipe: Recipe) -> None:
        unused = recipe.unused_fields
        if self._curve is not None:
            self._curve.show_recipe(recipe)
        for name, field in self._fields.items():
            field.set_value(getattr(recipe, name))
            field.setEnabled(name not in unused)
            self._labels[name][0].set_tone("secondary" if name in unused else "text")
