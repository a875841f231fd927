"""The list of the differences between two designs, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.core.formatting import pluralize, screen_reader_text
from cnnstudio.design.diff import Entry, Status
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.layers.catalog import snake_case

_ENTRY_ROLE = Qt.ItemDataRole.UserRole
_LINE_HEIGHT = 18
_PADDING = 9
_TEXT_LEFT = 66
_MAXIMUM_LINES = 4
_MAXIMUM_ROWS = 1_000

_SYMBOLS: Mapping[Status, tuple[str, str]] = {
    # The symbol in front of the text and its color token.
    "added": ("+", "good"),
    "removed": ("\N{MINUS SIGN}", "secondary"),
    "moved": ("↕", "accent"),
    "changed": ("≠", "accent"),
    "renamed": ("≠", "secondary"),
    "switched on": ("+", "good"),
    "switched off": ("\N{MINUS SIGN}", "secondary"),
}


class EntryList(QListWidget):
    """One row per entry, which can be selected by mouse or keyboard."""

    current_changed = Signal(object)
    """The Entry of the selected row."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("differences")
        self.setAccessibleName("Differences")
        self.setItemDelegate(_Delegate(self))
        self.setMouseTracking(True)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(self._on_current_changed)
        theme().changed.connect(self._on_theme_changed)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Shows these entries and keeps the selected row number if there still is one."""
        row = self.currentRow()
        self.blockSignals(True)
        self.clear()
        for entry in entries[:_MAXIMUM_ROWS]:
            item = QListWidgetItem(f"{entry.text}.", self)
            item.setData(_ENTRY_ROLE, entry)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, screen_reader_text(entry.text))
        if len(entries) > _MAXIMUM_ROWS:
            item = QListWidgetItem(f"And {pluralize(len(entries) - _MAXIMUM_ROWS, 'more difference')}.", self)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.setCurrentRow(min(row, self.count() - 1))
        self.blockSignals(False)

    def _on_theme_changed(self, _: object) -> None:
        self.itemDelegate().deleteLater()
        self.setItemDelegate(_Delegate(self))

    def _on_current_changed(self, item: QListWidgetItem | None, _: object) -> None:
        if item is not None and item.data(_ENTRY_ROLE) is not None:
            self.current_changed.emit(item.data(_ENTRY_ROLE))


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: EntryList) -> None:
        super().__init__(parent)
        self._view = parent
        self._text = TextMetrics(theme().font("content"))
        self._strong = TextMetrics(theme().font("title"))

    def _lines(self, text: str) -> list[str]:
        return self._text.wrapped(text, self._view.viewport().width() - _TEXT_LEFT - 16, _MAXIMUM_LINES)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, 2 * _PADDING + _LINE_HEIGHT * len(self._lines(index.data())))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect, entry = option.rect, index.data(_ENTRY_ROLE)
        self._paint_background(painter, option)
        first = rect.top() + _PADDING + _LINE_HEIGHT / 2
        if isinstance(entry, Entry):
            self._paint_entry(painter, entry, rect.left(), first)
        is_removed = isinstance(entry, Entry) and entry.after is None
        painter.setFont(self._text.font)
        painter.setPen(theme().color("secondary" if is_removed else "text"))
        for number, line in enumerate(self._lines(index.data())):
            painter.drawText(
                rect.left() + _TEXT_LEFT, self._text.baseline(first + number * _LINE_HEIGHT), line
            )
        painter.restore()

    def _paint_entry(self, painter: QPainter, entry: Entry, left: int, middle: float) -> None:
        symbol, token = _SYMBOLS[entry.status]
        painter.setFont(self._strong.font)
        painter.setPen(theme().color(token))
        painter.drawText(left + 20 - self._strong.width(symbol) // 2, self._strong.baseline(middle), symbol)
        layer, ratio = entry.node.layer, self._view.devicePixelRatioF()
        icon = theme().pixmap(snake_case(layer.type_name()), family_token(layer.family), 17, ratio)
        painter.drawPixmap(left + 38, round(middle - 8.5), icon)

    def _paint_background(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        states = QStyle.StateFlag
        area = QRectF(option.rect).adjusted(6, 1.5, -6, -1.5)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & states.State_Selected:
            painter.setBrush(theme().color("selection"))
            if option.state & states.State_HasFocus:
                painter.setPen(QPen(theme().color("accent"), 1.5))
            painter.drawRoundedRect(area, 5, 5)
        elif option.state & states.State_MouseOver:
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(area, 5, 5)
