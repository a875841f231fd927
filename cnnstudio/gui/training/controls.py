"""The parts of the training panel's row."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QMenu,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
)

from cnnstudio.gui.theme.theme import theme

_OPENING = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_CHOOSING = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)

_BESIDE_TEXT = 48
"""Pixels of a combo box that are not for its text: margins and arrow."""


class ActionButton(QPushButton):
    """A push button that is the face of an action: its text, whether it can be pressed, what it does."""

    def __init__(self, action: QAction, icon: str = "", *, primary: bool = False) -> None:
        super().__init__()
        self._action = action
        self._icon = icon
        if primary:
            self.setProperty("role", "primary")
        # The action's keys work wherever its button is, also without a menu.
        self.addAction(action)
        self.clicked.connect(action.trigger)
        theme().changed.connect(self._refresh)
        action.changed.connect(self._refresh)
        self._refresh()

    def show_icon(self, name: str) -> None:
        """Another icon for what the action does now."""
        self._icon = name
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        if self._icon:
            token = "on_accent" if self.property("role") == "primary" else "text"
            self.setIcon(theme().icon(self._icon, token))
        text = self._action.text().replace("&", "")
        # The style sets text close to its icon.
        self.setText(f" {text}" if self._icon else text)
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(text)


class MoreButton(QToolButton):
    """Three dots that open a menu of actions."""

    def __init__(self, title: str, actions: Iterable[QAction]) -> None:
        super().__init__()
        self.setObjectName("moreButton")
        self.setText("⋯")
        self.setToolTip(title)
        self.setAccessibleName(title)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        for action in actions:
            menu.addAction(action)
            # Its keys work wherever the button is, also without a menu bar.
            self.addAction(action)
        self.setMenu(menu)


class TitledComboBox(QComboBox):
    """A combo box that shows what it chooses in front of the choice: `Data: CIFAR-10`.

    Keys and wheel never change the choice while the list is closed: some of the entries open a dialog.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.setAccessibleName(title)

    def sizeHint(self) -> QSize:
        """As wide as what is chosen; the list itself is as wide as its longest entry."""
        text = self.fontMetrics().horizontalAdvance(f"{self._title}: {self.currentText()}")
        return QSize(min(max(text + _BESIDE_TEXT, 140), 260), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(110, super().minimumSizeHint().height())

    def showPopup(self) -> None:
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + _BESIDE_TEXT)
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        text = f"{self._title}: {self.currentText()}"
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _OPENING:
            self.showPopup()
        elif event.key() in _CHOOSING or event.text():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
