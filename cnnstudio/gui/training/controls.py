"""The controls of the training toolbar."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QStylePainter,
)

from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ICON_NAME
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_OPEN_KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_CHANGE_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)

_COMBO_PADDING = 24
_MAX_POPUP_WIDTH = 480
"""Longer lines are elided; the tooltip has all of them."""
_ENTRY_PADDING, _ONE_LINE, _TWO_LINES, _SEPARATOR_HEIGHT = 12, 30, 46, 7
DETAILS_ROLE = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex


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


class TwoLineDelegate(QStyledItemDelegate):
    """The entries of a list: a name, and below it a line that says what it is."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._content, self._help = TextMetrics(theme().font("content")), TextMetrics(theme().font("help"))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        if _is_separator(index):
            return QSize(0, _SEPARATOR_HEIGHT)
        details = str(index.data(DETAILS_ROLE) or "")
        width = max(self._content.width(str(index.data() or "")), self._help.width(details))
        return QSize(width + 2 * _ENTRY_PADDING, _TWO_LINES if details else _ONE_LINE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect, style = option.rect, theme()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if _is_separator(index):
            painter.fillRect(rect.left(), rect.center().y(), rect.width(), 1, style.color("border"))
        else:
            if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(style.color("selection"))
                painter.drawRoundedRect(QRectF(rect).adjusted(2, 1, -2, -1), 5, 5)
            self._paint_texts(painter, rect.adjusted(_ENTRY_PADDING, 0, -_ENTRY_PADDING, 0), index)
        painter.restore()

    def _paint_texts(self, painter: QPainter, rect: QRect, index: Index) -> None:
        details = str(index.data(DETAILS_ROLE) or "")
        middle = rect.top() + (15 if details else rect.height() / 2)
        painter.setFont(self._content.font)
        painter.setPen(theme().color("text"))
        text = self._content.elided(str(index.data() or ""), rect.width())
        painter.drawText(rect.left(), self._content.baseline(middle), text)
        if details:
            painter.setFont(self._help.font)
            painter.setPen(theme().color("secondary"))
            shown = self._help.elided(details, rect.width())
            painter.drawText(rect.left(), self._help.baseline(rect.top() + 32), shown)


def _is_separator(index: Index) -> bool:
    """Whether Qt's own delegate would draw a line."""
    return bool(index.data(Qt.ItemDataRole.AccessibleDescriptionRole) == "separator")


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
        self.view().setItemDelegate(TwoLineDelegate(self))

    def add_entry(self, text: str, data: object, details: str = "") -> None:
        """Adds an entry with a second line, which its tooltip shows as a whole."""
        self.addItem(text, data)
        row = self.count() - 1
        self.setItemData(row, plain_line(details), DETAILS_ROLE)
        self.setItemData(row, plain_tooltip(f"{text}\n{details}"), Qt.ItemDataRole.ToolTipRole)
        self.setItemData(row, f"{text}, {details}" if details else text, Qt.ItemDataRole.AccessibleTextRole)

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
        wanted = self.view().sizeHintForColumn(0) + _COMBO_PADDING
        self.view().setMinimumWidth(max(min(wanted, _MAX_POPUP_WIDTH), self.width()))
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        text_rect = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        text = f"{self._title}: {self.currentText()}"
        # The name counts: rather than cut it off, the title is left out.
        if not self._has_title or self.fontMetrics().horizontalAdvance(text) > text_rect.width():
            text = self.currentText()
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
