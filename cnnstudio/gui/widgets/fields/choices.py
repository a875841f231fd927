"""Fields for one of several choices, and for on or off."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox

from cnnstudio.core.parameters import Choice, Flag
from cnnstudio.gui.widgets.fields.event_filter import install_event_filter


class ChoiceField(QComboBox):
    """One of a few named choices."""

    edited = Signal(object)
    invalid_input = Signal(object)
    finished = Signal(object)

    def __init__(self, parameter: Choice) -> None:
        super().__init__()
        self._choices = parameter.choices
        self.addItems(self._choices)
        install_event_filter(self)
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
        install_event_filter(self)
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
