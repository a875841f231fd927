"""Small frameless buttons for the edge of a panel, with an icon or with a text."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton

from cnnstudio.gui.theme.theme import theme


class IconButton(QToolButton):
    """Shows an icon of the theme; `description` is its tooltip and its accessible name."""

    def __init__(self, object_name: str, icon: str, description: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setProperty("role", "quiet")
        self.setFixedSize(24, 24)
        self._icon = ""
        self.show_icon(icon, description)
        theme().changed.connect(self._on_theme_changed)

    def show_icon(self, icon: str, description: str) -> None:
        """Shows another icon for another purpose."""
        if icon != self._icon:
            self._icon = icon
            self.setIcon(theme().icon(icon))
        self.setToolTip(description)
        # A key in parentheses is for the eyes; screen readers say it by themselves.
        self.setAccessibleName(description.partition(" (")[0])

    def _on_theme_changed(self, _: object) -> None:
        self.setIcon(theme().icon(self._icon))


class QuietButton(QToolButton):
    """Shows `text`; `description` is its tooltip and its accessible name."""

    def __init__(self, object_name: str, text: str, description: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setText(text)
        self.setToolTip(description)
        self.setAccessibleName(description)
        self.setProperty("role", "quiet")
