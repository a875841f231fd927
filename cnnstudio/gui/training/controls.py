"""The controls of the training toolbar."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
)

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ICON_NAME

_OPEN_KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_CHANGE_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)

_COMBO_PADDING = 52
"""The width of a combo box's margins and arrow, in pixels."""


class ActionButton(QPushButton):
    """A push button for an action, with the action's text, icon, tooltip and enabled state."""

    def __init__(self, action: QAction, *, primary: bool = False, text: bool = True) -> None:
        """Without `text` it shows only the icon."""
        super().__init__()
        self._action = action
        self._has_text = text
        self.setProperty("role", "primary" if primary else "" if text else "icon")
        # A click must not take the focus from where the user works.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        # So that the action's shortcuts work even if no menu contains the action.
        self.addAction(action)
        self.clicked.connect(action.trigger)
        theme().changed.connect(self._refresh)
        action.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        icon = self._action.property(ICON_NAME)
        if icon:
            token = "on_accent" if self.property("role") == "primary" else "text"
            self.setIcon(theme().icon(icon, token))
        text = self._action.text().replace("&", "")
        # The style leaves too little space between icon and text.
        self.setText((f" {text}" if icon else text) if self._has_text else "")
        if self.hasFocus() and not self._action.isEnabled():
            # Otherwise Qt would give the focus to the next button: a second Space would stop the training.
            self.clearFocus()
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(text)


class TitledComboBox(QComboBox):
    """A combo box with a title in front of the current choice: `Data: CIFAR-10`.

    Keys and the mouse wheel do not change the choice while the list is closed: some entries open a dialog.
    What does not fit is elided, and is then in the tooltip.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._has_title = True
        self.setProperty("role", "bar")
        self.setAccessibleName(title)

    def show_title(self, is_shown: bool) -> None:
        """Shows or leaves out the title."""
        if is_shown != self._has_title:
            self._has_title = is_shown
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(140, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(80, super().minimumSizeHint().height())

    def showPopup(self) -> None:
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + _COMBO_PADDING)
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        text = f"{self._title}: {self.currentText()}" if self._has_title else self.currentText()
        text_rect = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, text_rect.width()
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _OPEN_KEYS:
            self.showPopup()
        elif event.key() in _CHANGE_KEYS or event.text():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
