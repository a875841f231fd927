"""A bar above the layer list for messages that need no dialog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QWidget,
)

from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_text

_MAX_CHARACTERS = 1_000
"""Longer messages would leave no room for the layers."""
_MAX_BUTTON = 40
_MAX_NOTES = 4
"""At a time; older ones make room."""


@dataclass(frozen=True)
class Message:
    """A message for the user, with at most one action."""

    text: str
    is_error: bool = False
    button: str = ""
    """The text of the button that calls `action`; without it there is no button."""
    action: Callable[[], object] | None = None
    is_note: bool = False
    """Whether it is shown below other notes and messages with a button, instead of in their place."""


class MessageBar(QFrame):
    """Shows one message at a time, errors in red, with an optional button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._text = Label(wrap=True)
        self._text.setObjectName("messageText")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._button = QPushButton(self)
        self._button.setObjectName("messageButton")
        self._button.clicked.connect(self._on_button)
        self._close = QToolButton(self)
        self._close.setObjectName("messageClose")
        self._close.setText("✕")
        self._close.setToolTip("Close this message")
        self._close.setAccessibleName("Close this message")
        self._close.clicked.connect(self.hide)
        self._messages: list[Message] = []
        """What is shown, one below the other: several only if they are notes."""
        self._restore_focus_to: QWidget | None = None
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(8)
        self._body.addWidget(self._text, 1)
        self._body.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(self._body, 1)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    @property
    def text(self) -> str:
        """The text of the message; empty while the bar is hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_text(
        self,
        text: str,
        *,
        is_error: bool = False,
        button: str = "",
        action: Callable[[], object] | None = None,
    ) -> None:
        """Shows `text`. A click on `button` hides the bar and calls `action`."""
        self._show([Message(text, is_error, button, action)])

    def show_message(self, message: Message) -> None:
        """The same for a Message, as the slot of a signal."""
        kept: list[Message] = []
        if message.is_note and not self.isHidden():
            # The bar has a single button.
            kept = [
                each
                for each in self._messages
                if each.text != message.text and (not message.button if each.button else each.is_note)
            ]
        self._show([*kept, message][-_MAX_NOTES:])

    def _show(self, messages: list[Message]) -> None:
        self._messages = messages
        self._text.setText(plain_text("\n".join(each.text for each in messages), _MAX_CHARACTERS))
        self.setAccessibleName(self._text.text())
        self._button.setText(plain_entry(self._acting.button, _MAX_BUTTON))
        self._button.setVisible(bool(self._acting.button))
        # Long texts need the whole width.
        beside, below = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._body.setDirection(below if len(messages) > 1 else beside)
        self.setProperty("wrong", any(each.is_error for each in messages))
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self._text.text()))

    @property
    def _acting(self) -> Message:
        """The message that the button belongs to; one without a button if there is none."""
        return next((each for each in self._messages if each.button), Message(""))

    def withdraw(self, text: str) -> None:
        """Removes the message with this text, if the bar still shows it."""
        rest = [each for each in self._messages if each.text != text]
        if not rest:
            self.hide()
        elif len(rest) < len(self._messages) and not self.isHidden():
            self._show(rest)

    def ask(self, text: str, button: str, action: Callable[[], object]) -> None:
        """Shows a question and moves the focus to its button; it returns when the bar is hidden."""
        self._restore_focus_to = QApplication.focusWidget()
        self.show_text(text, button=button, action=action)
        self._button.setFocus(Qt.FocusReason.OtherFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        target, self._restore_focus_to = self._restore_focus_to, None
        if target is not None and shiboken6.isValid(target):
            target.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Called only if the focus is in the bar: elsewhere Escape has other uses.
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _on_button(self) -> None:
        self.hide()
        if self._acting.action is not None:
            self._acting.action()
