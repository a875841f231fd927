"""The differences of two designs as rows: what happened, to which layer, in a sentence."""

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

from cnnstudio.core.formatting import plural, spoken
from cnnstudio.design.diff import Entry, Status
from cnnstudio.gui.theme.text_metrics import Face
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.layers.catalog import snake_case

_ENTRY_ROLE = Qt.ItemDataRole.UserRole
_LINE = 18
_PADDING = 9
_TEXT_LEFT = 66
_MOST_LINES = 4
_MOST_ROWS = 1_000

_MARKS: Mapping[Status, tuple[str, str]] = {
    # What stands before the row, and in which color; the sentence says it in words.
    "added": ("+", "good"),
    "removed": ("\N{MINUS SIGN}", "secondary"),
    "moved": ("↕", "accent"),
    "changed": ("≠", "accent"),
    "renamed": ("≠", "secondary"),
    "switched on": ("+", "good"),
    "switched off": ("\N{MINUS SIGN}", "secondary"),
}


class EntryList(QListWidget):
    """A row for each entry; choosing one means its layer."""

    pointed = Signal(object)
    """The Entry of the row that the keys or the mouse came to."""

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
        """Shows these, and keeps the place of the one before where there still is one."""
        row = self.currentRow()
        self.blockSignals(True)
        self.clear()
        for entry in entries[:_MOST_ROWS]:
            item = QListWidgetItem(f"{entry.text}.", self)
            item.setData(_ENTRY_ROLE, entry)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken(entry.text))
        if len(entries) > _MOST_ROWS:
            item = QListWidgetItem(f"And {plural(len(entries) - _MOST_ROWS, 'more difference')}.", self)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.setCurrentRow(min(row, self.count() - 1))
        self.blockSignals(False)

    def _on_theme_changed(self, _: object) -> None:
        self.setItemDelegate(_Delegate(self))

    def _on_current_changed(self, item: QListWidgetItem | None, _: object) -> None:
        if item is not None and item.data(_ENTRY_ROLE) is not None:
            self.pointed.emit(item.data(_ENTRY_ROLE))


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: EntryList) -> None:
        super().__init__(parent)
        self._view = parent
        self._text = Face(theme().font("content"))
        self._strong = Face(theme().font("title"))

    def _lines(self, text: str) -> list[str]:
        return self._text.wrapped(text, self._view.viewport().width() - _TEXT_LEFT - 16, _MOST_LINES)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, 2 * _PADDING + _LINE * len(self._lines(index.data())))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect, entry = option.rect, index.data(_ENTRY_ROLE)
        self._paint_ground(painter, option)
        first = rect.top() + _PADDING + _LINE / 2
        if isinstance(entry, Entry):
            self._paint_entry(painter, entry, rect.left(), first)
        gone = isinstance(entry, Entry) and entry.after is None
        painter.setFont(self._text.font)
        painter.setPen(theme().color("secondary" if gone else "text"))
        for number, line in enumerate(self._lines(index.data())):
            painter.drawText(rect.left() + _TEXT_LEFT, self._text.baseline(first + number * _LINE), line)
        painter.restore()

    def _paint_entry(self, painter: QPainter, entry: Entry, left: int, middle: float) -> None:
        mark, token = _MARKS[entry.status]
        painter.setFont(self._strong.font)
        painter.setPen(theme().color(token))
        painter.drawText(left + 20 - self._strong.width(mark) // 2, self._strong.baseline(middle), mark)
        layer, ratio = entry.node.layer, self._view.devicePixelRatioF()
        icon = theme().pixmap(snake_case(layer.type_name()), family_token(layer.family), 17, ratio)
        painter.drawPixmap(left + 38, round(middle - 8.5), icon)

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        states = QStyle.StateFlag
        ground = QRectF(option.rect).adjusted(6, 1.5, -6, -1.5)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & states.State_Selected:
            painter.setBrush(theme().color("selection"))
            if option.state & states.State_HasFocus:
                painter.setPen(QPen(theme().color("accent"), 1.5))
            painter.drawRoundedRect(ground, 5, 5)
        elif option.state & states.State_MouseOver:
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(ground, 5, 5)
