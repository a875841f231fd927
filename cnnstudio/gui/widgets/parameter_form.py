"""A form for the parameters of a layer type, or of another class that declares parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from cnnstudio.core.parameters import Pair, Parameter, parameters
from cnnstudio.gui.widgets.fields import PairField, make_field
from cnnstudio.gui.widgets.labels import Label

_LABEL_WIDTH = 92
_FIELD_WIDTH = 126
_TAB = Qt.FocusPolicy.TabFocus


class ParameterForm(QWidget):
    """One row per parameter: label, field and help; below it the error if the typed text is invalid."""

    edited = Signal(object)
    """(name, value) after every change by the user."""
    finished = Signal(object)
    """The name of the parameter whose field the user has left."""

    def __init__(self, owner: type[Any]) -> None:
        super().__init__()
        self._parameters = parameters(owner)
        self.fields = {parameter.name: make_field(parameter) for parameter in self._parameters}
        self._helps = {
            parameter.name: Label(parameter.help, "help", "secondary", wrap=True)
            for parameter in self._parameters
        }
        self._errors = {
            parameter.name: Label("", "help", "wrong", wrap=True) for parameter in self._parameters
        }
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(2, 1)
        for row, parameter in enumerate(self._parameters):
            self._add(2 * row, parameter)

    @property
    def tab_stops(self) -> list[QWidget]:
        """The widgets that Tab visits, from top to bottom."""
        # The popup list of a combo box is a separate window.
        inside = [each for each in self.findChildren(QWidget) if each.window() is self.window()]
        return [each for each in inside if each.focusPolicy() & _TAB and each.focusProxy() is None]

    def show_values(self, instances: Sequence[Any]) -> None:
        """Shows the values of the instances; if they differ, the first one, and the help lists all."""
        for parameter in self._parameters:
            values = [getattr(instance, parameter.name) for instance in instances]
            field = self.fields[parameter.name]
            field.set_value(values[0])
            if isinstance(field, PairField) and values[0] is None:
                field.suggest(self._first_pair(instances[0]))
            different = list(dict.fromkeys(map(parameter.text, values)))
            self._helps[parameter.name].setText(
                parameter.help if len(different) == 1 else f"currently {', '.join(different)}"
            )

    def clear_errors(self) -> None:
        """Removes the errors about invalid input."""
        for name in self._errors:
            self._show_error(name, "")

    def set_named(self, named: bool) -> None:
        """Sets or clears the object names of the fields: a form that is not shown must not duplicate them."""
        for name, field in self.fields.items():
            field.setObjectName(f"param_{name}" if named else "")

    def _add(self, row: int, parameter: Parameter) -> None:
        name = parameter.name
        field, label = self.fields[name], Label(parameter.label)
        label.setBuddy(field)
        label.setMinimumWidth(_LABEL_WIDTH)
        label.setMinimumHeight(32)
        field.setFixedWidth(_FIELD_WIDTH)
        field.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._helps[name].setMinimumHeight(32)
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(label, row, 0, top)
        self._grid.addWidget(field, row, 1, top)
        self._grid.addWidget(self._helps[name], row, 2, top)
        self._grid.addWidget(self._errors[name], row + 1, 1, 1, 2)
        self._errors[name].hide()
        field.edited.connect(partial(self._on_edited, name))
        field.invalid_input.connect(partial(self._show_error, name))
        field.finished.connect(partial(self._on_finished, name))

    def _on_edited(self, name: str, value: object) -> None:
        self._show_error(name, "")
        self.edited.emit((name, value))

    def _on_finished(self, name: str, _: object) -> None:
        # By now the field has replaced an invalid text.
        self._show_error(name, "")
        self.finished.emit(name)

    def _show_error(self, name: str, text: str) -> None:
        label = self._errors[name]
        if text != label.text():
            label.setText(text)
            label.setVisible(bool(text))

    def _first_pair(self, instance: Any) -> tuple[int, int]:
        """The value that an empty pair stands for: that of the pair before it."""
        values = [
            getattr(instance, parameter.name) for parameter in self._parameters if isinstance(parameter, Pair)
        ]
        return next((value for value in values if value is not None), (1, 1))
