"""A bar above the layer list for what the user should read: no dialog to click away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)


@dataclass(frozen=True)
class Message:
    """A sentence for the user, and at most one thing to do about it at the press of a button."""

    sentence: str
    wrong: bool = False
    """Whether something went wrong."""
    button: str = ""
    action: Callable[[], object] | None = None


class NoticeBar(QFrame):
    """Shows one sentence, red where something is wrong, with at most one thing to do about it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noticeBar")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._text = QLabel(self)
        self._text.setObjectName("noticeText")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._button = QPushButton(self)
        self._button.setObjectName("noticeButton")
        self._button.clicked.connect(self._on_button)
        self._close = QToolButton(self)
        self._close.setObjectName("noticeClose")
        self._close.setText("✕")
        self._close.setToolTip("Close this message")
        self._close.setAccessibleName("Close this message")
        self._close.clicked.connect(self.hide)
        self._action: Callable[[], object] | None = None
        self._asked_from: QWidget | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._text)
        layout.addWidget(self._button)
        layout.addWidget(self._close)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while it is hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_sentence(
        self,
        sentence: str,
        *,
        wrong: bool = False,
        button: str = "",
        action: Callable[[], object] | None = None,
    ) -> None:
        """Shows `sentence`; `button` does `action` and closes the bar."""
        self._text.setText(sentence)
        self.setAccessibleName(sentence)
        self._action = action
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self.setProperty("wrong", wrong)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))

    def show_message(self, message: Message) -> None:
        """The same, for what others emit."""
        self.show_sentence(
            message.sentence, wrong=message.wrong, button=message.button, action=message.action
        )

    def take_back(self, sentence: str) -> None:
        """Hides the bar, if that is what it says."""
        if self.text == sentence:
            self.hide()

    def ask(self, sentence: str, button: str, action: Callable[[], object]) -> None:
        """Shows a question. The keys go to its button until it is answered, then to where they were."""
        self._asked_from = QApplication.focusWidget()
        self.show_sentence(sentence, button=button, action=action)
        self._button.setFocus(Qt.FocusReason.OtherFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        back, self._asked_from = self._asked_from, None
        if back is not None and shiboken6.isValid(back):
            back.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Only with the focus in here: elsewhere Escape has work of its own.
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _on_button(self) -> None:
        self.hide()
        if self._action is not None:
            self._action()
