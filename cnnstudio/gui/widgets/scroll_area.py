"""Areas that scroll what does not fit."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget


class _ScrollArea(QScrollArea):
    """Tab stops at it only while there is something to scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def scroll_by_keys(self) -> None:
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)

    def _on_range_changed(self, low: int, high: int) -> None:
        policies = Qt.FocusPolicy
        self.setFocusPolicy(policies.StrongFocus if high > low else policies.NoFocus)


def scroll_area(content: QWidget, *, sideways: bool = False, by_keys: bool = True) -> QScrollArea:
    """As wide as its place, on the color of what is around it; `sideways` too, it scrolls what is wider.

    `by_keys` is False where something inside takes the focus, to which it scrolls.
    """
    area = _ScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    if by_keys:
        area.scroll_by_keys()
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for each in (content, area.viewport()):
        # A scroll area gives both the color of the window.
        each.setAutoFillBackground(False)
    return area
