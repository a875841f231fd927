"""A form for the parameters of a layer type, or of another class that declares parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QSizePolicy, QWidget

from cnnstudio.core.parameters import Pair, Parameter, parameters
from cnnstudio.gui.widgets.fields import ChoiceField, FlagField, PairField, make_field
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_tooltip

_LABEL_WIDTH = 92
_FIELD_WIDTH = 126
_WIDTH_FOR_HELP = 400
"""Below it the help has no room beside the fields."""
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
            self._add(3 * row, parameter)
        self._is_narrow = False
        self._focused = ""
        """The name of the parameter whose field has the focus."""
        self._different: set[str] = set()
        """The parameters of which several values are shown."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

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
            if field.value() != values[0]:
                self._show_error(parameter.name, "")
            field.set_value(values[0])
            if isinstance(field, PairField) and values[0] is None:
                field.suggest(self._first_pair(instances[0]))
            different = list(dict.fromkeys(map(parameter.text, values)))
            (self._different.add if len(different) > 1 else self._different.discard)(parameter.name)
            self._helps[parameter.name].setText(
                parameter.help if len(different) == 1 else f"currently {', '.join(different)}"
            )
        self._show_helps()

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
        field.setToolTip(plain_tooltip(parameter.help))
        field.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._helps[name].setMinimumHeight(32)
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(label, row, 0, top)
        self._grid.addWidget(field, row, 1, top)
        self._grid.addWidget(self._helps[name], row, 2, top)
        self._grid.addWidget(self._errors[name], row + 2, 1, 1, 2)
        self._errors[name].hide()
        field.edited.connect(partial(self._on_edited, name))
        field.invalid_input.connect(partial(self._show_error, name))
        field.finished.connect(partial(self._on_finished, name))
        if not isinstance(field, ChoiceField | FlagField):
            field.corrected.connect(partial(self._show_error, name))

    # The help stands beside each field, or in a narrow form below the field with the focus.

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_narrow = self.width() < _WIDTH_FOR_HELP
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            for row, name in enumerate(self.fields):
                place = (3 * row + 1, 1, 1, 2) if is_narrow else (3 * row, 2, 1, 1)
                self._helps[name].setMinimumHeight(0 if is_narrow else 32)
                self._grid.addWidget(self._helps[name], *place, Qt.AlignmentFlag.AlignTop)
            self._show_helps()

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        found = (
            name
            for name, field in self.fields.items()
            if now is not None and (field is now or field.isAncestorOf(now))
        )
        focused = next(found, "")
        if focused != self._focused:
            self._focused = focused
            self._show_helps()

    def _show_helps(self) -> None:
        for name, label in self._helps.items():
            label.setVisible(not self._is_narrow or name == self._focused or name in self._different)

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
