"""The button in the toolbar that says what the next training starts from."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QMenu, QPushButton

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.start_from.choice import StartFrom
from cnnstudio.gui.widgets.labels import elided
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line, plain_tooltip

_WIDTH, _ICON_WIDTH = 128, 36
_WIDE, _WIDE_WIDTH = 1600, 232
"""The width of the window from which there is room for the whole title, and the width of the button there."""
_ICON = QSize(16, 16)
_BESIDE = 46
"""Pixels for the icon and the edges."""


class StartChip(QPushButton):
    """Hidden while training starts from random weights. Opens a menu that changes or removes the choice."""

    def __init__(self, start: StartFrom) -> None:
        super().__init__()
        self.setObjectName("startFrom")
        self.setProperty("role", "start")
        self.setIconSize(_ICON)
        self._start = start
        self._width = _WIDTH
        self.setMenu(QMenu(self))
        self.menu().aboutToShow.connect(self._fill)
        start.changed.connect(self.refresh)
        theme().changed.connect(self.refresh)
        self.refresh()

    def fit_into(self, window_width: int, *, is_narrow: bool) -> None:
        """Takes the width that a window of that width has for it; in a narrow one it shows the icon alone."""
        width = _ICON_WIDTH if is_narrow else _WIDE_WIDTH if window_width >= _WIDE else _WIDTH
        if width != self._width:
            self._width = width
            self.refresh()

    def refresh(self, _: object = None) -> None:
        title = plain_line(self._start.title)
        self.setVisible(bool(title))
        self.setFixedWidth(self._width)
        self.setIcon(theme().icon("start_from", "accent"))
        is_narrow = self._width == _ICON_WIDTH
        width = self._width - _BESIDE
        if self.fontMetrics().horizontalAdvance(title) > width:
            text = elided(self.fontMetrics(), plain_line(self._start.short_title), width)
        else:
            text = title
        self.setText("" if is_narrow else text.replace("&", "&&"))
        self.setToolTip(plain_tooltip(f"Training starts from the weights of {title}"))
        self.setAccessibleName(f"Start weights: {title}" if title else "Start weights")

    def _fill(self) -> None:
        menu = self.menu()
        menu.clear()
        head = menu.addAction(plain_entry(f"Starts from {self._start.title}"))
        head.setEnabled(False)
        menu.addSeparator()
        menu.addAction("Change…", self._start.ask)
        menu.addAction(
            "Do not start from it" if self._start.choice is not None else "Start from random weights",
            self._start.remove,
        )
