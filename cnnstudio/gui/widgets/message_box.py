"""Message boxes in the style of the window: our own icons, plain text and a verb on every button.

Most messages appear in the window's message bar. A box is for what cannot wait: a decision without which work
would be lost or could not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_text, plain_title

TEXT_WIDTH = 360
_ICON_SIZE = 32
_MAX_CHARACTERS = 600
"""Longer texts are cut: names come from outside and can have any length."""


@dataclass(frozen=True)
class Answer:
    """A button of a box."""

    name: str
    """What `ask` returns for it: `save`. Its object name is `answerSave`."""
    text: str
    """A verb with its mnemonic: `&Save`."""
    default: bool = False
    """Chosen by Enter. If the action cannot be undone, this is the answer that loses nothing."""
    escape: bool = False
    """Chosen by Escape and by closing the box."""
    primary: bool = False
    """Highlighted as what most people want."""
    on_left: bool = False
    """Placed at the left edge, away from the other buttons."""


class MessageBox(QDialog):
    """A question with its answers, or a text to read. Only one box is open at a time."""

    _open: ClassVar[MessageBox | None] = None

    def __init__(
        self,
        window: QWidget,
        title: str,
        text: str,
        details: str = "",
        *,
        icon: str = "cnnstudio",
        answers: Sequence[Answer],
        content: QWidget | None = None,
    ) -> None:
        """`answers` run from left to right; one of them is the default and one the escape answer.

        `content`, such as an input field, is placed below the texts and gets the initial focus.
        """
        super().__init__(window)
        self.setObjectName("messageBox")
        self.setWindowTitle(plain_title(title))
        self.setAccessibleName(plain_line(title))
        self.setAccessibleDescription(plain_text(f"{text} {details}".strip()))
        self._icon_name = icon
        self._answer = self._escape_answer = next(answer.name for answer in answers if answer.escape)
        self._icon = QLabel()
        self._icon.setFixedSize(_ICON_SIZE, _ICON_SIZE)
        self.buttons = {answer.name: self._create_button(answer) for answer in answers}
        default = self.buttons[next(answer.name for answer in answers if answer.default)]
        self._initial_focus: QWidget = default if content is None else content
        self._compose(text, details, content, answers)
        self._update_icon()
        theme().changed.connect(self._update_icon)

    def _create_button(self, answer: Answer) -> QPushButton:
        button = QPushButton(answer.text)
        button.setObjectName(f"answer{answer.name[:1].upper()}{answer.name[1:]}")
        if answer.primary:
            button.setProperty("role", "primary")
        button.setDefault(answer.default)
        button.clicked.connect(lambda: self._on_answered(answer.name))
        return button

    def _compose(self, text: str, details: str, content: QWidget | None, answers: Sequence[Answer]) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(6)
        texts.addWidget(_set_text(Label(role="title", wrap=True), text))
        if details:
            texts.addWidget(_set_text(Label(tone="secondary", wrap=True), details))
        if content is not None:
            texts.addSpacing(8)
            texts.addWidget(content)
        texts.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(14)
        top.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for answer in (each for each in answers if each.on_left):
            buttons.addWidget(self.buttons[answer.name])
        buttons.addStretch(1)
        for answer in (each for each in answers if not each.on_left):
            buttons.addWidget(self.buttons[answer.name])
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(18)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        column.addLayout(top)
        column.addLayout(buttons)

    def ask(self) -> str:
        """Waits for an answer and returns its name; the escape answer if another box is open already."""
        if self._raise_open_box():
            self.deleteLater()
            return self._escape_answer
        MessageBox._open = self
        try:
            self.exec()
        finally:
            MessageBox._open = None
            self.deleteLater()
        return self._answer

    def show_message(self) -> None:
        """Opens the box, unless another one is open already, and returns at once."""
        if self._raise_open_box():
            self.deleteLater()
            return
        MessageBox._open = self
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.open()

    def _raise_open_box(self) -> bool:
        """Brings the box that is open already to the front; False if there is none."""
        present = MessageBox._open
        if present is None or not shiboken6.isValid(present) or not present.isVisible():
            return False
        present.raise_()
        present.activateWindow()
        return True

    def _on_answered(self, name: str) -> None:
        self._answer = name
        self.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._initial_focus.setFocus(Qt.FocusReason.PopupFocusReason)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _update_icon(self, _: object = None) -> None:
        pixmap = theme().pixmap(self._icon_name, "accent", _ICON_SIZE, self.devicePixelRatioF())
        self._icon.setPixmap(pixmap)


def _set_text(label: Label, text: str) -> Label:
    """Shows the text, shortened if necessary; screen readers get it without the places where it may break."""
    shown = plain_text(text, _MAX_CHARACTERS)
    label.setText(shown)
    label.setAccessibleName(shown)
    label.setFixedWidth(TEXT_WIDTH)
    label.setMinimumHeight(label.heightForWidth(TEXT_WIDTH))
    return label


def confirm_replace(parent: QWidget, path: Path) -> bool:
    """Asks about a file whose name the user did not type in full; True if it may be written."""
    if not path.exists():
        return True
    box = MessageBox(
        parent,
        "Replace file",
        f"{path.name} already exists. Replace it?",
        f"This overwrites the file in {path.parent}.",
        icon="save",
        answers=(
            Answer("cancel", "&Cancel", default=True, escape=True),
            Answer("replace", "&Replace"),
        ),
    )
    return box.ask() == "replace"
