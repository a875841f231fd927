"""A small button without a frame, for the edge of a panel."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton


class QuietButton(QToolButton):
    """Shows `text`; `words` say what it does, to the mouse and to a screen reader."""

    def __init__(self, object_name: str, text: str, words: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setText(text)
        self.setToolTip(words)
        self.setAccessibleName(words)
        self.setProperty("role", "quiet")
