"""The parts of the training panel's row."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
)

from cnnstudio.gui.theme import theme

_OPENING = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_CHOOSING = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)


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
        self.setText(self._action.text().replace("&", ""))
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(self._action.text().replace("&", ""))


class TitledComboBox(QComboBox):
    """A combo box that shows what it chooses in front of the choice: `Data: CIFAR-10`.

    Keys and wheel never change the choice while the list is closed: some of the entries open a dialog.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.setAccessibleName(title)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)

    def sizeHint(self) -> QSize:
        extra = self.fontMetrics().horizontalAdvance(f"{self._title}: ")
        return super().sizeHint() + QSize(extra, 0)

    def minimumSizeHint(self) -> QSize:
        return QSize(110, super().minimumSizeHint().height())

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


class ElidedLabel(QLabel):
    """One line that is cut short where there is no room for it; the tool tip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme().font("help"))
        self.setProperty("role", "secondary")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, *, wrong: bool = False) -> None:
        """Shows the text, red where something is wrong."""
        if text != self.text():
            self.setText(text)
            self.setToolTip(text)
            self.setAccessibleName(text)
        role = "wrong" if wrong else "secondary"
        if role != self.property("role"):
            self.setProperty("role", role)
            self.style().unpolish(self)
            self.style().polish(self)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().windowText().color())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
        painter.end()
