"""Fields that edit one parameter each, made from its description in `core.parameters`.

All have `value`, `set_value` (which emits no signal) and these signals: `edited` (the new value),
`invalid_input` (why the typed text is invalid, or "") and `finished` (the user has left the field).
Fields for numbers also have `corrected`, after `finished`: what became of invalid text, such as `At most 9.`
"""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QLocale, QObject, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import Choice, Edges, Flag, Integer, Number, Pair, Parameter, Sides
from cnnstudio.gui.widgets.labels import Label

_LOCALE = QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)
"""The window is in English, so numbers have English separators whatever the system's language."""
_DECIMALS = 12
_TEXT_MARGINS = (8, 0, 2, 0)
"""Of a spin box, which ignores the padding in the style sheet."""
_EDGES = {"top": "↑", "bottom": "↓", "left": "←", "right": "→"}
_WIDE_RANGE = 1000.0
"""A number whose range spans more than this factor is stepped through 1, 2, 5, 10, 20 …"""


class _FieldEventFilter(QObject):
    """Lets the wheel scroll the page unless the field has the focus, and Ctrl+Z undo in the design."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                event.ignore()
                return True
        return False


def _install_filter(field: QWidget) -> None:
    event_filter = _FieldEventFilter(field)
    field.installEventFilter(event_filter)
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if isinstance(field, QAbstractSpinBox):
        field.lineEdit().installEventFilter(event_filter)


class _Typing:
    """What was typed into a spin box since the user came to it, and what becomes of it when they leave.

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
        field.lineEdit().textEdited.connect(self._on_edited)
        field.valueChanged.connect(self._on_value_changed)
        field.editingFinished.connect(self._on_finished)

    def forget(self) -> None:
        """Makes nothing of what was typed: the value was set in another way."""
        self._before = None

    def _on_edited(self, text: str) -> None:
        # Qt takes the text over only after this signal, so the field still has the old value.
        if self._before is None:
            self._before = self._value = self._field.value()
        self._text = text
        self._field.invalid_input.emit(_error_text(self._parameter, text))

    def _on_value_changed(self, value: int | float) -> None:
        # Enter announces the last valid value once more, with its text in place of the invalid one.
        if value != self._value and self._field.lineEdit().text() != self._text:
            self.forget()
        self._value = value

    def _on_finished(self) -> None:
        before, note = self._before, ""
        self._before = None
        if before is not None:
            note = _error_text(self._parameter, self._text)
        if before is not None and note:
            limit = _exceeded_limit(self._parameter, self._text)
            value: Any = before if limit is None else limit[1]
            self._field.setValue(value)
            note = note if limit is None else f"{limit[0]} {limit[1]:,.10g}."
        self._field.finished.emit(None)
        if note:
            self._field.corrected.emit(note)


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
        self.setLocale(_LOCALE)
        self.setAccelerated(True)
        self.lineEdit().setTextMargins(*_TEXT_MARGINS)
        _install_filter(self)
        self._typing = _Typing(self, parameter)
        self.valueChanged.connect(self.edited.emit)

    def set_value(self, value: int) -> None:
        if value != self.value():
            self._typing.forget()
            self.blockSignals(True)
            self.setValue(value)
            self.blockSignals(False)

    def valueFromText(self, text: str) -> int:
        return int(self._parameter.from_text(text))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return _validator_state(self._parameter, text), text, position


class NumberField(QDoubleSpinBox):
    """A number with a fraction, shown without trailing zeros; its steps suit its range."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Number) -> None:
        super().__init__()
        self._parameter = parameter
        self.setDecimals(_DECIMALS)
        self.setRange(parameter.minimum, parameter.maximum)
        self.setLocale(_LOCALE)
        self.lineEdit().setTextMargins(*_TEXT_MARGINS)
        _install_filter(self)
        self._typing = _Typing(self, parameter)
        self.valueChanged.connect(self.edited.emit)

    def set_value(self, value: float) -> None:
        if value != self.value():
            self._typing.forget()
            self.blockSignals(True)
            self.setValue(value)
            self.blockSignals(False)

    def textFromValue(self, value: float) -> str:
        return f"{value:.10g}"

    def valueFromText(self, text: str) -> float:
        return float(self._parameter.from_text(text))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return _validator_state(self._parameter, text), text, position

    def stepBy(self, steps: int) -> None:
        self.setValue(_stepped(self.value(), steps, self._parameter))
        self.selectAll()


class ChoiceField(QComboBox):
    """One of a few named choices."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)

    def __init__(self, parameter: Choice) -> None:
        super().__init__()
        self._choices = parameter.choices
        self.addItems(self._choices)
        _install_filter(self)
        self.currentTextChanged.connect(self.edited.emit)

    def value(self) -> str:
        return self.currentText()

    def set_value(self, value: str) -> None:
        if value != self.currentText():
            self.blockSignals(True)
            # A design file may contain another value, which is offered only while it is shown.
            for index in range(self.count() - 1, len(self._choices) - 1, -1):
                self.removeItem(index)
            if value not in self._choices:
                self.addItem(value)
            self.setCurrentText(value)
            self.blockSignals(False)


class FlagField(QCheckBox):
    """On or off, with a text that says which."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)

    def __init__(self, parameter: Flag) -> None:
        super().__init__("off")
        _install_filter(self)
        self.toggled.connect(self._on_toggled)

    def value(self) -> bool:
        return self.isChecked()

    def set_value(self, value: bool) -> None:
        self.blockSignals(True)
        self.setChecked(value)
        self.setText("on" if value else "off")
        self.blockSignals(False)

    def _on_toggled(self, value: bool) -> None:
        self.setText("on" if value else "off")
        self.edited.emit(value)


def _side(parameter: Pair | Sides, name: str) -> IntegerField:
    """A narrow field for one of several numbers of a parameter."""
    field = IntegerField(Integer(parameter.name, None, minimum=parameter.minimum, maximum=parameter.maximum))
    field.setObjectName(f"{parameter.name}_{name}")
    field.setAccessibleName(f"{parameter.label}, {name}")
    field.setProperty("role", "side")
    field.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    field.lineEdit().setTextMargins(0, 0, 0, 0)
    field.setMinimumWidth(40)
    return field


class PairField(QWidget):
    """Height and width; if the parameter is optional, a check box leaves it empty."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Pair) -> None:
        super().__init__()
        self._sides = tuple(_side(parameter, name) for name in ("height", "width"))
        self._empty = QCheckBox(parameter.empty) if parameter.optional else None
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        row.setSpacing(4)
        for number, field in enumerate(self._sides):
            if number:
                row.addWidget(Label("×"))
            field.edited.connect(self._on_edited)
            field.invalid_input.connect(self.invalid_input.emit)
            field.finished.connect(self.finished.emit)
            field.corrected.connect(self.corrected.emit)
            row.addWidget(field, 1)
        if self._empty is not None:
            _install_filter(self._empty)
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

    def _on_edited(self, _: object) -> None:
        self.edited.emit(self.value())

    def _on_empty_toggled(self, empty: bool) -> None:
        for field in self._sides:
            field.setEnabled(not empty)
        self.edited.emit(self.value())


def _error_text(parameter: Parameter, text: str) -> str:
    """Why a typed value is invalid, as a sentence; empty if it is valid."""
    try:
        parameter.from_text(text)
    except ParameterError as error:
        message = str(error)
        return f"{message[:1].upper()}{message[1:]}."
    return ""


def _exceeded_limit(parameter: Integer | Number, text: str) -> tuple[str, int | float] | None:
    """`At most` or `At least`, and the limit that a typed number is beyond; None if it is beyond none."""
    try:
        number = parse_number(text, whole=isinstance(parameter, Integer))
    except ParameterError:
        return None
    if number is None or parameter.minimum <= number <= parameter.maximum:
        return None
    is_above = number > parameter.maximum
    return ("At most", parameter.maximum) if is_above else ("At least", parameter.minimum)


def _validator_state(parameter: Parameter, text: str) -> QValidator.State:
    """Never Invalid: any text may be typed, but only a valid one becomes the value."""
    is_valid = not _error_text(parameter, text)
    return QValidator.State.Acceptable if is_valid else QValidator.State.Intermediate


def _stepped(value: float, steps: int, parameter: Number) -> float:
    """The value some steps up or down: 1, 2, 5, 10 … in wide ranges, else multiples of a round step."""
    low, high = parameter.minimum, parameter.maximum
    if low > 0 and high / low > _WIDE_RANGE:
        return _one_two_five(value, steps)
    step = _one_two_five((high - low) / 19, 0)
    if 0 < value < step:
        step = 10.0 ** math.floor(math.log10(value))
    position = value / step
    multiple = math.floor(position + 1e-9) if steps > 0 else math.ceil(position - 1e-9)
    return round((multiple + steps) * step, _DECIMALS)


def _one_two_five(value: float, steps: int) -> float:
    """Moves by `steps` in the sequence 1, 2, 5, 10, 20 …, from its number at or below `value`."""
    exponent = math.floor(math.log10(value) + 1e-9)
    digit = value / 10.0**exponent * (1 + 1e-9)
    index = 3 * exponent + (0 if digit < 2 else 1 if digit < 5 else 2)
    target = index + steps
    # A step down from between two numbers goes to the lower one.
    if steps < 0 and digit > (1, 2, 5)[index % 3] * (1 + 1e-6):
        target += 1
    return float(f"{(1, 2, 5)[target % 3] * 10.0 ** (target // 3):.6g}")


class SidesField(QWidget):
    """Top and bottom, left and right, two per row."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)
    corrected = Signal(object)

    def __init__(self, parameter: Sides) -> None:
        super().__init__()
        self._fields = tuple(_side(parameter, name) for name in _EDGES)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for number, (field, name) in enumerate(zip(self._fields, _EDGES, strict=True)):
            label = Label(_EDGES[name])
            label.setToolTip(name)
            field.setToolTip(name)
            field.edited.connect(self._on_edited)
            field.invalid_input.connect(self.invalid_input.emit)
            field.finished.connect(self.finished.emit)
            field.corrected.connect(self.corrected.emit)
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

    def _on_edited(self, _: object) -> None:
        self.edited.emit(self.value())


Field = IntegerField | NumberField | ChoiceField | FlagField | PairField | SidesField


def make_field(parameter: Parameter) -> Field:
    """The field for a parameter, with the object name `param_<name>`.

    Raises TypeError if there is no field for this kind of parameter.
    """
    field: Field
    match parameter:
        case Integer():
            field = IntegerField(parameter)
        case Number():
            field = NumberField(parameter)
        case Choice():
            field = ChoiceField(parameter)
        case Flag():
            field = FlagField(parameter)
        case Pair():
            field = PairField(parameter)
        case Sides():
            field = SidesField(parameter)
        case _:
            raise TypeError(f"there is no field for a {type(parameter).__name__}")
    field.setObjectName(f"param_{parameter.name}")
    field.setAccessibleName(parameter.label)
    field.setAccessibleDescription(parameter.help)
    return field
