"""Asks what the folders of a data set are, where their names do not tell."""

from __future__ import annotations

from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from cnnstudio.data.sources.folder_layout import Question, Reading
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.message_box import TEXT_WIDTH, Answer, MessageBox

_ANSWERS = (
    Answer("cancel", "&Cancel", escape=True),
    Answer("add", "&Add", default=True, primary=True),
)


def ask_for_layout(window: QWidget, title: str, question: Question) -> Reading | None:
    """The user's choice; None if the folder is not to be added."""
    choices = _Choices(question)
    box = MessageBox(
        window, f"Add {title}", f"{question.text}.", "What are they?", answers=_ANSWERS, content=choices
    )
    return choices.reading if box.ask() == "add" else None


class _Choices(QWidget):
    """One radio button for each reading; the likely one is on."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.setObjectName("layoutChoices")
        self.setFixedWidth(TEXT_WIDTH)
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
        button.toggled.connect(lambda on: self._on_toggled(reading, on))
        self._group.addButton(button)
        label = _ChoiceLabel(text, button)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(button)
        row.addWidget(label, 1)
        if reading == self.reading:
            button.setChecked(True)
            self.setFocusProxy(button)
        return row

    def _on_toggled(self, reading: Reading, on: bool) -> None:
        if on:
            self.reading = reading


class _ChoiceLabel(Label):
    """The text of a radio button, which a click chooses."""

    def __init__(self, text: str, button: QRadioButton) -> None:
        super().__init__(text, wrap=True)
        self.setFixedWidth(TEXT_WIDTH - 32)
        self._button = button

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._button.click()
        event.accept()
