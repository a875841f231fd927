"""Fields for one number."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QLocale, QSignalBlocker, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

from cnnstudio.core.parameters import Integer, Number
from cnnstudio.gui.widgets.fields.event_filter import install_event_filter
from cnnstudio.gui.widgets.fields.steps import DECIMALS, stepped
from cnnstudio.gui.widgets.fields.typed_text import error_text, exceeded_limit, validator_state

_LOCALE = QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)
"""The window is in English, so numbers have English separators whatever the system's language."""
_TEXT_MARGINS = (8, 0, 2, 0)
"""Of a spin box, which ignores the padding in the style sheet."""


class IntegerField(QSpinBox):
    """An integer. Any text can be typed; invalid text is explained and replaced when the field is left."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Integer) -> None:
        super().__init__()
        self._parameter = parameter
        self.setRange(parameter.minimum, parameter.maximum)
        self.setGroupSeparatorShown(True)
        self.setAccelerated(True)
        self._editing = _NumberEditing(self, parameter)

    def set_value(self, value: int) -> None:
        self._editing.show(value)

    def valueFromText(self, text: str) -> int:
        return int(self._parameter.from_text(text))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return validator_state(self._parameter, text), text, position


class NumberField(QDoubleSpinBox):
    """A number with a fraction, shown without trailing zeros; its steps suit its range."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Number) -> None:
        super().__init__()
        self._parameter = parameter
        self.setDecimals(DECIMALS)
        self.setRange(parameter.minimum, parameter.maximum)
        self._editing = _NumberEditing(self, parameter)

    def set_value(self, value: float) -> None:
        self._editing.show(value)

    def textFromValue(self, value: float) -> str:
        return f"{value:.10g}"

    def valueFromText(self, text: str) -> float:
        return float(self._parameter.from_text(text))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return validator_state(self._parameter, text), text, position

    def stepBy(self, steps: int) -> None:
        self.setValue(stepped(self.value(), steps, self._parameter))
        self.selectAll()


class _NumberEditing:
    """What both fields do with a value: show it, and make sense of what was typed when the user leaves.

    A number out of range becomes the nearest one in it, everything else the value that was there before. Qt
    by itself would go back to the last valid text: to 1000 after 100000 was typed where 9999 is the maximum.
    """

    def __init__(self, field: IntegerField | NumberField, parameter: Integer | Number) -> None:
        self._field = field
        self._parameter = parameter
        self._text = ""
        self._before: int | float | None = None
        """The value before anything was typed; None if nothing was."""
        self._value: int | float | None = None
        """The last value that was typed."""
        field.setLocale(_LOCALE)
        field.lineEdit().setTextMargins(*_TEXT_MARGINS)
        install_event_filter(field)
        field.lineEdit().textEdited.connect(self._on_typed)
        field.valueChanged.connect(self._on_value_changed)
        field.editingFinished.connect(self._on_finished)
        field.valueChanged.connect(field.edited.emit)

    def show(self, value: Any) -> None:
        """Shows a value that the user did not enter, and makes nothing of what was typed before."""
        if value != self._field.value():
            self._before = None
            with QSignalBlocker(self._field):
                self._field.setValue(value)

    def _on_typed(self, text: str) -> None:
        # Qt takes the text over only after this signal, so the field still has the old value.
        if self._before is None:
            self._before = self._value = self._field.value()
        self._text = text
        self._field.invalid_input.emit(error_text(self._parameter, text))

    def _on_value_changed(self, value: int | float) -> None:
        # Enter announces the last valid value once more, with its text in place of the invalid one.
        if value != self._value and self._field.lineEdit().text() != self._text:
            self._before = None
        self._value = value

    def _on_finished(self) -> None:
        before, note = self._before, ""
        self._before = None
        if before is not None:
            note = error_text(self._parameter, self._text)
        if before is not None and note:
            limit = exceeded_limit(self._parameter, self._text)
            value: Any = before if limit is None else limit[1]
            self._field.setValue(value)
            note = note if limit is None else f"{limit[0]} {limit[1]:,.10g}."
        self._field.finished.emit(None)
        if note:
            self._field.corrected.emit(note)
