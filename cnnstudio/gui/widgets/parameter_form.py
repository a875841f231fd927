"""A form made from the parameters of a layer type, or of anything else that declares them."""

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
    """One line a parameter: label, field, help, and below it what is wrong with what was typed."""

    edited = Signal(object)
    """(name, value), as soon as the user has changed something."""
    finished = Signal(object)
    """The name of the parameter whose field the user is done with."""

    def __init__(self, owner: type[Any]) -> None:
        super().__init__()
        self._parameters = parameters(owner)
        self.fields = {parameter.name: make_field(parameter) for parameter in self._parameters}
        self._helps = {
            parameter.name: Label(parameter.help, "help", "secondary", wrap=True)
            for parameter in self._parameters
        }
        self._mistakes = {
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
    def stops(self) -> list[QWidget]:
        """What Tab goes through, top to bottom."""
        # The list that opens below a combo box is a window of its own.
        inside = [each for each in self.findChildren(QWidget) if each.window() is self.window()]
        return [each for each in inside if each.focusPolicy() & _TAB and each.focusProxy() is None]

    def show_values(self, instances: Sequence[Any]) -> None:
        """The values of one or several instances. Where they differ, the first is shown and all are named."""
        for parameter in self._parameters:
            values = [getattr(instance, parameter.name) for instance in instances]
            field = self.fields[parameter.name]
            field.set_value(values[0])
            if isinstance(field, PairField) and values[0] is None:
                field.suggest(self._first_pair(instances[0]))
            different = list(dict.fromkeys(map(parameter.text, values)))
            self._helps[parameter.name].setText(
                parameter.help if len(different) == 1 else f"now {', '.join(different)}"
            )

    def forget_mistakes(self) -> None:
        """Takes away the sentences about wrong input."""
        for name in self._mistakes:
            self._show_mistake(name, "")

    def set_named(self, named: bool) -> None:
        """A form that is put aside gives up its fields' names, so that each name stands for one field."""
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
        self._grid.addWidget(self._mistakes[name], row + 1, 1, 1, 2)
        self._mistakes[name].hide()
        field.edited.connect(partial(self._on_edited, name))
        field.mistaken.connect(partial(self._show_mistake, name))
        field.finished.connect(partial(self._on_finished, name))

    def _on_edited(self, name: str, value: object) -> None:
        self._show_mistake(name, "")
        self.edited.emit((name, value))

    def _on_finished(self, name: str, _: object) -> None:
        # By now the field has taken back what it could not take.
        self._show_mistake(name, "")
        self.finished.emit(name)

    def _show_mistake(self, name: str, sentence: str) -> None:
        label = self._mistakes[name]
        if sentence != label.text():
            label.setText(sentence)
            label.setVisible(bool(sentence))

    def _first_pair(self, instance: Any) -> tuple[int, int]:
        """What an empty pair stands for: the size named before it."""
        values = [
            getattr(instance, parameter.name) for parameter in self._parameters if isinstance(parameter, Pair)
        ]
        return next((value for value in values if value is not None), (1, 1))
