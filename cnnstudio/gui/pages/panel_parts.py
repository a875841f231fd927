"""The head and the foot of a panel, at the same places everywhere."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.gui.widgets.labels import Line, NameLabel, Panel, PartsLabel

HEAD_HEIGHT, FOOT_HEIGHT, SIDE = 40, 40, 16


class PanelHead(QWidget):
    """A title, one secondary sentence whose parts give way, and buttons at the right end."""

    def __init__(self, title: str, *buttons: QWidget) -> None:
        super().__init__()
        self.setFixedHeight(HEAD_HEIGHT)
        self.title = NameLabel(title, "title")
        self.secondary = PartsLabel(role="help", tone="secondary")
        row = QHBoxLayout(self)
        row.setContentsMargins(SIDE, 0, SIDE, 0)
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addWidget(self.secondary, 1)
        for button in buttons:
            row.addWidget(button)


class PanelFoot(QWidget):
    """A line, and below it what one can do or must know next."""

    def __init__(self, *parts: QWidget) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(SIDE, 6, SIDE, 6)
        row.setSpacing(8)
        for part in parts:
            row.addWidget(part, int(part is parts[0]))
        column.addWidget(Line())
        column.addLayout(row)


def fill(panel: Panel, *parts: QWidget, hero: QWidget) -> None:
    """Puts parts below each other into a panel; `hero` takes the rest of its height."""
    column = QVBoxLayout(panel)
    # What extends to the edges must not cover the border, which the panel paints.
    column.setContentsMargins(1, 1, 1, 1)
    column.setSpacing(0)
    for part in parts:
        column.addWidget(part, int(part is hero))
