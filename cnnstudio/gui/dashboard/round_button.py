"""The small round buttons at the right end of a head."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton


class RoundButton(QToolButton):
    """Shows a sign; `description` is its tooltip and its accessible name."""

    def __init__(self, object_name: str, text: str, description: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setText(text)
        self.setToolTip(description)
        self.setAccessibleName(description)
        self.setProperty("role", "round")
        self.setFixedSize(24, 24)
