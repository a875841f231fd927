"""Tabs: names in a row, of which the chosen one is underlined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme


class TabButton(QAbstractButton):
    """One tab: its name, underlined while it is chosen."""

    padding: ClassVar[int] = 1
    height_hint: ClassVar[int] = 40
    alignment: ClassVar[Qt.AlignmentFlag] = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    is_underlined: ClassVar[bool] = True

    def __init__(self, text: str, object_name: str) -> None:
        super().__init__()
        self.setText(text)
        self.setObjectName(object_name)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        # Measured in the bold font of the chosen state, so that the other tabs do not move.
        width = QFontMetrics(theme().font("strong")).horizontalAdvance(self.text())
        return QSize(width + 2 * self.padding, self.height_hint)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        strong = self.isChecked()
        painter.setFont(style.font("strong" if strong else "content"))
        painter.setPen(style.color("text" if strong or self.underMouse() else "secondary"))
        painter.drawText(QRectF(self.rect()), self.alignment, self.text())
        if strong and self.is_underlined:
            painter.fillRect(QRectF(0, self.height() - 3, self.width(), 2), style.color("accent"))
        if self.hasFocus():
            self.paint_focus(painter)
        painter.end()

    def paint_focus(self, painter: QPainter) -> None:
        """Paints the ring around the tab with the focus."""
        painter.setPen(theme().color("accent"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -3.5), 4, 4)


class TabButtons(QWidget):
    """A row of tabs, one of which is chosen; arrow keys choose its neighbor."""

    chosen = Signal(object)
    """The index of the chosen tab."""

    def __init__(self, titles: Iterable[tuple[str, str]]) -> None:
        """`titles` are the title and the object name of each tab."""
        super().__init__()
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(20)
        for number, (title, object_name) in enumerate(titles):
            button = TabButton(title, object_name)
            self._group.addButton(button, number)
            row.addWidget(button)
        row.addStretch(1)
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._on_toggled)
        theme().changed.connect(self._on_theme_changed)

    @property
    def number(self) -> int:
        """The index of the chosen tab."""
        return int(self._group.checkedId())

    def choose(self, number: int) -> None:
        self._group.button(number).setChecked(True)

    def _on_toggled(self, number: int, checked: bool) -> None:
        if checked:
            self.chosen.emit(number)

    def _on_theme_changed(self, _: object) -> None:
        for button in self._group.buttons():
            button.update()
