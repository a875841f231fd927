"""The card behind the “?” of a view: what it shows, in a few sentences."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.overlay import Overlay

QUESTION = "What does this show?"
_WIDTH = 380


class HelpCard(Overlay):
    """Shown over the window; Escape, its button and a click elsewhere close it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__("viewHelp", _WIDTH, window)
        self._title = Label("", "strong")
        self._text = Label("", "content", wrap=True)
        self.close_button = QPushButton("Close")
        self.close_button.setProperty("role", "small")
        self.close_button.clicked.connect(self.dismiss)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._text)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column.addLayout(foot)

    def sizeHint(self) -> QSize:
        # As high as the text at this width: by itself a wrapped label asks for more.
        return QSize(self.width(), self.heightForWidth(self.width()))

    @property
    def text(self) -> str:
        return self._text.text()

    def explain(self, title: str, text: str, anchor: QWidget) -> None:
        """Shows `text` below the button `anchor`."""
        self._title.setText(f"{title}: {QUESTION[0].lower()}{QUESTION[1:]}")
        self._text.setText(text)
        self.setAccessibleName(f"{title}. {text}")
        self.show_at(anchor, anchor.rect())
        self.hold_focus()
        self.close_button.setFocus()
