"""Areas that scroll what does not fit."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget


class _ScrollArea(QScrollArea):
    """Tab stops at it only while there is something to scroll."""

    def __init__(self, sideways: bool, by_keys: bool) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        down, across = self.verticalScrollBar(), self.horizontalScrollBar()
        self._bars = (down, *([across] if sideways else [])) if by_keys else ()
        for bar in self._bars:
            bar.rangeChanged.connect(self._on_range_changed)

    def _on_range_changed(self, *_: object) -> None:
        scrolls = any(bar.maximum() > bar.minimum() for bar in self._bars)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if scrolls else Qt.FocusPolicy.NoFocus)


def scroll_area(content: QWidget, *, sideways: bool = False, by_keys: bool = True) -> QScrollArea:
    """As wide as its place, on the color of what is around it; `sideways` too, it scrolls what is wider.

    `by_keys` is False where something inside takes the focus, to which it scrolls.
    """
    area = _ScrollArea(sideways, by_keys)
    area.setWidget(content)
    area.setWidgetResizable(True)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for each in (content, area.viewport()):
        # A scroll area gives both the color of the window.
        each.setAutoFillBackground(False)
    return area
