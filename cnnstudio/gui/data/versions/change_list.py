"""The list of what differs between two versions: sentences, and images with their thumbnails."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.data.versions.file_changes import FileChange
from cnnstudio.gui.data.versions.comparing import THUMBNAIL, Difference
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_TEXTS = Qt.ItemDataRole.UserRole
_IMAGE = Qt.ItemDataRole.UserRole + 1
_LEFT, _GAP = 14, 10
_PITCH, _MAX_LINES = 18, 4
"""Of the lines of a sentence."""
_AROUND, _IMAGE_HEIGHT = 12, THUMBNAIL + 8
"""What a sentence has above and below, and the height of an image's row."""


class ChangeList(QListWidget):
    """One row for each sentence, heading or image."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("versionChanges")
        self.setAccessibleName("What differs between the two versions")
        self.setItemDelegate(_Delegate(self))
        # With it, the list asks again how high its rows are when its width changes.
        self.setWordWrap(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme().changed.connect(self._on_theme_changed)

    def show_difference(self, found: Difference | None) -> None:
        """Shows all of it; None for nothing."""
        self.clear()
        for number, row in enumerate(found.rows if found is not None else ()):
            item = QListWidgetItem(self)
            if isinstance(row, FileChange):
                name, text = plain_line(row.file), plain_line(row.text)
                spoken, tooltip = f"{name}: {text}", f"{row.file}: {row.text}"
                item.setData(_IMAGE, found.thumbnails.get(row.file) if found is not None else None)
            else:
                name, text = plain_line(row, 2_000), ""
                spoken = tooltip = row
            is_heading = found is not None and number in found.headings
            item.setData(_TEXTS, (name, text, is_heading))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, screen_reader_text(plain_line(spoken)))
            item.setToolTip(plain_tooltip(tooltip))
        if self.count():
            self.setCurrentRow(0)

    def _on_theme_changed(self, _: object) -> None:
        self.itemDelegate().deleteLater()
        self.setItemDelegate(_Delegate(self))


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: ChangeList) -> None:
        super().__init__(parent)
        self._strong, self._content, self._small = (
            TextMetrics(theme().font("strong")),
            TextMetrics(theme().font("content")),
            TextMetrics(theme().font("help")),
        )

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        rect = option.rect
        self._paint_background(painter, option)
        name, text, is_heading = index.data(_TEXTS)
        if text:
            self._paint_image(painter, rect, name, text, index.data(_IMAGE))
        else:
            font = self._strong if is_heading else self._content
            painter.setFont(font.font)
            painter.setPen(theme().color("text"))
            for number, line in enumerate(self._lines(font, name, rect.width())):
                middle = rect.top() + _AROUND // 2 + (number + 0.5) * _PITCH
                painter.drawText(rect.left() + _LEFT, font.baseline(middle), line)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        name, text, is_heading = index.data(_TEXTS)
        if text:
            return QSize(0, _IMAGE_HEIGHT)
        view = self.parent()
        assert isinstance(view, ChangeList)
        lines = self._lines(self._strong if is_heading else self._content, name, view.viewport().width())
        return QSize(0, len(lines) * _PITCH + _AROUND)

    def _lines(self, font: TextMetrics, text: str, width: int) -> list[str]:
        """Of a sentence in a row of that width, whose end may say most."""
        return font.wrapped(text, width - 2 * _LEFT, _MAX_LINES)

    def _paint_image(self, painter: QPainter, rect: QRect, name: str, text: str, image: object) -> None:
        left = rect.left() + _LEFT
        square = QRect(left, rect.top() + (rect.height() - THUMBNAIL) // 2, THUMBNAIL, THUMBNAIL)
        if isinstance(image, QImage):
            place = QRect(square)
            place.setSize(image.size().scaled(square.size(), Qt.AspectRatioMode.KeepAspectRatio))
            place.moveCenter(square.center())
            painter.drawImage(place, image)
        else:
            # Not in the set any more.
            painter.setPen(QPen(theme().color("border"), 1, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(QRectF(square).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        left, middle = square.right() + _GAP, rect.center().y()
        width = rect.right() - _LEFT - left
        painter.setFont(self._content.font)
        painter.setPen(theme().color("text"))
        painter.drawText(left, self._content.baseline(middle - 9), self._content.elided(text, width))
        painter.setFont(self._small.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(left, self._small.baseline(middle + 9), self._small.elided(name, width))

    def _paint_background(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        states = QStyle.StateFlag
        if option.state & states.State_Selected:
            area = QRectF(option.rect).adjusted(6, 1.5, -6, -1.5)
            painter.setBrush(theme().color("selection"))
            has_focus = option.state & states.State_HasFocus
            painter.setPen(QPen(theme().color("accent"), 1.5) if has_focus else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(area, 5, 5)
