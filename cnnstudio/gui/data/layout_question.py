"""Asks what the folders of a data set are, where their names do not tell."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from cnnstudio.data.sources.folder_layout import Question, Reading
from cnnstudio.gui.widgets.labels import Label


class LayoutChoices(QWidget):
    """One radio button for each reading; the likely one is on."""

    changed = Signal(object)
    """The reading that the user chose."""

    def __init__(self, question: Question, width: int) -> None:
        super().__init__()
        self.setObjectName("layoutChoices")
        self.setFixedWidth(width)
        self.reading: Reading = question.assumed
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for reading, meaning in question.answers:
            column.addLayout(self._add_choice(reading, meaning))

    def _add_choice(self, reading: Reading, text: str) -> QHBoxLayout:
        # Radio buttons do not wrap their text, and a label does not take a mnemonic for one.
        button = QRadioButton()
        button.setObjectName(f"layout_{reading}")
        button.setAccessibleName(text)
        button.setChecked(reading == self.reading)
        button.toggled.connect(lambda on: self._on_toggled(reading, on))
        self._group.addButton(button)
        label = _ChoiceLabel(text, button, self.width() - 32)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(button)
        row.addWidget(label, 1)
        if reading == self.reading:
            self.setFocusProxy(button)
        return row

    def _on_toggled(self, reading: Reading, on: bool) -> None:
        if on:
            self.reading = reading
            self.changed.emit(reading)


class _ChoiceLabel(Label):
    """The text of a radio button, which a click chooses."""

    def __init__(self, text: str, button: QRadioButton, width: int) -> None:
        super().__init__(text, wrap=True)
        self.setFixedWidth(width)
        self._button = button

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._button.click()
        event.accept()
