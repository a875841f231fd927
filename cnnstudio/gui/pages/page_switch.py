"""The switch at the top left that turns between the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.tab_buttons import TabButton

_HEIGHT, _RADIUS = 32, 6
_LEAST_PADDING = 6
"""Beside each name in a small window."""


class _Segment(TabButton):
    """One page. The switch paints the ground and the line below the one that is shown."""

    padding: ClassVar[int] = 11
    height_hint: ClassVar[int] = _HEIGHT
    alignment: ClassVar[Qt.AlignmentFlag] = Qt.AlignmentFlag.AlignCenter
    is_underlined: ClassVar[bool] = False

    def __init__(self, title: str, number: int) -> None:
        super().__init__(title, f"pageButton{title}")
        self.setToolTip(f"{title} (Ctrl+{number})")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint() - QSize(2 * (self.padding - _LEAST_PADDING), 0)

    def paint_focus(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(4, 4, -4, -4), 4, 4)


class PageSwitch(QWidget):
    """The names of the pages side by side; arrow keys move between them."""

    chosen = Signal(object)
    """The index of the page that the user chose."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__()
        self.setObjectName("pageSwitch")
        self.setAccessibleName("Pages")
        self.setFixedHeight(_HEIGHT)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(1, 0, 1, 0)
        row.setSpacing(0)
        for number, title in enumerate(titles):
            button = _Segment(title, number + 1)
            self._group.addButton(button, number)
            row.addWidget(button)
        self._group.idToggled.connect(self._on_toggled)
        theme().changed.connect(self._on_theme_changed)

    @property
    def buttons(self) -> list[QAbstractButton]:
        return self._group.buttons()

    def show_page(self, number: int) -> None:
        """Marks a page as the one that is shown."""
        self._group.button(number).setChecked(True)

    def _on_toggled(self, number: int, checked: bool) -> None:
        self.update()
        if checked:
            self.chosen.emit(number)

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(style.color("border"), 1))
        painter.setBrush(style.color("background"))
        painter.drawRoundedRect(outline, _RADIUS, _RADIUS)
        shown = self._group.checkedButton()
        if shown is not None:
            shape = QPainterPath()
            shape.addRoundedRect(outline.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS - 1, _RADIUS - 1)
            painter.setClipPath(shape)
            area = shown.geometry()
            painter.fillRect(area, style.color("selection"))
            painter.fillRect(area.left(), self.height() - 3, area.width(), 2, style.color("accent"))
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        for button in self.buttons:
            button.update()
        self.update()
