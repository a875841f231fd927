"""Areas that scroll what does not fit."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget


def scroll_area(content: QWidget, *, sideways: bool = False) -> QScrollArea:
    """As wide as its place, on the color of what is around it; `sideways` too, it scrolls what is wider."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for each in (content, area.viewport()):
        # A scroll area gives both the color of the window.
        each.setAutoFillBackground(False)
    return area
