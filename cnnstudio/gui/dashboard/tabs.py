"""Tabs for the views of the dashboard, of which as many are shown side by side as fit."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetrics, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme


class TabButton(QAbstractButton):
    """One tab: its name, underlined while its view is shown."""

    def __init__(self, text: str, object_name: str) -> None:
        super().__init__()
        self.setText(text)
        self.setObjectName(object_name)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        # Measured in the bold font of the chosen state, so that the other tabs do not move.
        return QSize(QFontMetrics(theme().font("strong")).horizontalAdvance(self.text()) + 2, 28)

    def nextCheckState(self) -> None:
        # ViewTabs decides which views are shown.
        pass

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
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(0, 0, self.width(), self.height() - 4), flags, self.text())
        if strong:
            painter.fillRect(QRectF(0, self.height() - 3, self.width(), 2), style.color("accent"))
        if self.hasFocus():
            painter.setPen(style.color("accent"))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -3.5), 4, 4)
        painter.end()


class ViewTabs(QWidget):
    """A row of tabs. Up to `capacity` of their views are shown, those chosen most recently.

    Clicking the tab of a view that is shown beside others maximizes it.
    """

    shown_changed = Signal(object)
    """The indexes of the shown views, from left to right."""

    def __init__(self, titles: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._capacity = 1
        self._buttons: list[TabButton] = []
        self._recent: list[int] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(26)
        for number, (title, object_name) in enumerate(titles):
            button = TabButton(title, object_name)
            button.clicked.connect(lambda _checked=False, number=number: self._on_clicked(number))
            self._buttons.append(button)
            self._recent.append(number)
            row.addWidget(button)
        row.addStretch(1)
        self._maximized: int | None = None
        self._refresh()
        theme().changed.connect(self._on_theme_changed)

    @property
    def shown(self) -> tuple[int, ...]:
        """The indexes of the shown views, from left to right."""
        if self._maximized is not None:
            return (self._maximized,)
        return tuple(sorted(self._recent[: self._capacity]))

    def set_capacity(self, capacity: int) -> None:
        """Sets how many views fit side by side."""
        if capacity != self._capacity:
            self._capacity = capacity
            self._refresh()

    def choose(self, number: int) -> None:
        """Shows a view, beside others if they fit."""
        self._maximized = None
        self._recent.remove(number)
        self._recent.insert(0, number)
        self._refresh()

    def _on_clicked(self, number: int) -> None:
        was_shown, several = number in self.shown, len(self.shown) > 1
        self.choose(number)
        if was_shown and several:
            self._maximized = number
            self._refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        focused = next((number for number, button in enumerate(self._buttons) if button.hasFocus()), None)
        if step is None or focused is None:
            super().keyPressEvent(event)
            return
        self._buttons[(focused + step) % len(self._buttons)].setFocus(Qt.FocusReason.TabFocusReason)

    def _refresh(self) -> None:
        for number, button in enumerate(self._buttons):
            button.setChecked(number in self.shown)
        self.shown_changed.emit(self.shown)

    def _on_theme_changed(self, _: object) -> None:
        for button in self._buttons:
            button.update()
