"""Fields for parameters of several numbers: height and width, or the four sides."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.parameters import Edges, Integer, Pair, Sides
from cnnstudio.gui.widgets.fields.event_filter import install_event_filter
from cnnstudio.gui.widgets.fields.numbers import IntegerField
from cnnstudio.gui.widgets.labels import Label

_EDGES = {"top": "↑", "bottom": "↓", "left": "←", "right": "→"}


class PairField(QWidget):
    """Height and width; if the parameter is optional, a check box leaves it empty."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Pair) -> None:
        super().__init__()
        self._sides = tuple(_side(self, parameter, name) for name in ("height", "width"))
        self._empty = QCheckBox(parameter.empty) if parameter.optional else None
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        row.setSpacing(4)
        for number, field in enumerate(self._sides):
            if number:
                row.addWidget(Label("×"))
            row.addWidget(field, 1)
        if self._empty is not None:
            install_event_filter(self._empty)
            self._empty.setAccessibleName(f"{parameter.label}, {parameter.empty}")
            self._empty.toggled.connect(self._on_empty_toggled)
            column.addWidget(self._empty)

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Instead of a focus proxy, with which Tab would stop here twice.
        self._sides[0].setFocus(event.reason())

    def value(self) -> tuple[int, int] | None:
        if self._empty is not None and self._empty.isChecked():
            return None
        return self._sides[0].value(), self._sides[1].value()

    def set_value(self, value: tuple[int, int] | None) -> None:
        if self._empty is not None:
            self._empty.blockSignals(True)
            self._empty.setChecked(value is None)
            self._empty.blockSignals(False)
        for number, field in enumerate(self._sides):
            field.setEnabled(value is not None)
            if value is not None:
                field.set_value(value[number])

    def suggest(self, value: tuple[int, int]) -> None:
        """Shows a value in the disabled sides while the field is empty."""
        if self.value() is None:
            for field, size in zip(self._sides, value, strict=True):
                field.set_value(size)

    def announce(self, _: object = None) -> None:
        """Emits the value: one of its numbers was edited."""
        self.edited.emit(self.value())

    def _on_empty_toggled(self, empty: bool) -> None:
        for field in self._sides:
            field.setEnabled(not empty)
        self.announce()


class SidesField(QWidget):
    """Top and bottom, left and right, two per row."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Sides) -> None:
        super().__init__()
        self._fields = tuple(_side(self, parameter, name) for name in _EDGES)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for number, (field, name) in enumerate(zip(self._fields, _EDGES, strict=True)):
            label = Label(_EDGES[name])
            label.setToolTip(name)
            field.setToolTip(name)
            row, column = divmod(number, 2)
            grid.addWidget(label, row, 2 * column)
            grid.addWidget(field, row, 2 * column + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Instead of a focus proxy, see PairField.
        self._fields[0].setFocus(event.reason())

    def value(self) -> Edges:
        top, bottom, left, right = (field.value() for field in self._fields)
        return (top, bottom), (left, right)

    def set_value(self, value: Edges) -> None:
        for field, size in zip(self._fields, (*value[0], *value[1]), strict=True):
            field.set_value(size)

    def announce(self, _: object = None) -> None:
        """Emits the value: one of its numbers was edited."""
        self.edited.emit(self.value())


def _side(whole: PairField | SidesField, parameter: Pair | Sides, name: str) -> IntegerField:
    """A narrow field for one of several numbers of a parameter, whose signals `whole` passes on."""
    field = IntegerField(Integer(parameter.name, None, minimum=parameter.minimum, maximum=parameter.maximum))
    field.setObjectName(f"{parameter.name}_{name}")
    field.setAccessibleName(f"{parameter.label}, {name}")
    field.setProperty("role", "side")
    field.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    field.lineEdit().setTextMargins(0, 0, 0, 0)
    field.setMinimumWidth(40)
    field.edited.connect(whole.announce)
    field.invalid_input.connect(whole.invalid_input.emit)
    field.finished.connect(whole.finished.emit)
    field.corrected.connect(whole.corrected.emit)
    return field
