"""A small frameless button for the edge of a panel."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton


class QuietButton(QToolButton):
    """Shows `text`; `description` is its tooltip and its accessible name."""

    def __init__(self, object_name: str, text: str, description: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setText(text)
        self.setToolTip(description)
        self.setAccessibleName(description)
        self.setProperty("role", "quiet")
