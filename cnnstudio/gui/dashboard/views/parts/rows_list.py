"""A list whose rows are painted: the same ground, focus frame and row height for all of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from cnnstudio.gui.dashboard.views.parts.rows_model import Index, RowsModel, RowType
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.qimage import to_qimage


class RowsDelegate(QStyledItemDelegate, Generic[RowType]):
    """Paints what is chosen and has the focus; a subclass paints the row on it."""

    height: int
    """Of a row, in pixels."""

    def __init__(self, view: QListView, model: RowsModel[RowType]) -> None:
        super().__init__(view)
        self._model = model
        self._pixmaps: dict[Hashable, QPixmap] = {}

    def paint_row(self, painter: QPainter, row: RowType, rect: QRectF) -> None:
        """Paints one row."""
        raise NotImplementedError

    def pixmap(self, key: Hashable, image: np.ndarray) -> QPixmap:
        """An image, uint8 (C, H, W), converted when it is first seen."""
        if key not in self._pixmaps:
            self._pixmaps[key] = QPixmap.fromImage(to_qimage(image))
        return self._pixmaps[key]

    def forget_images(self) -> None:
        """Because there are others now."""
        self._pixmaps.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(160, self.height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect, state = QRectF(option.rect), option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme().color("selection"))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(2, 2, -2, -2), 4, 4)
        self.paint_row(painter, self._model.rows[index.row()], rect)
        painter.restore()


class RowsView(QListView, Generic[RowType]):
    """Shows the rows of a model with the delegate of a subclass; painted anew in another theme."""

    def __init__(self, object_name: str, name: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setAccessibleName(name)
        self._model = RowsModel[RowType](self)
        self.setModel(self._model)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme().changed.connect(self._on_theme_changed)

    @property
    def current_row(self) -> RowType | None:
        """The chosen row."""
        index = self.currentIndex()
        return self._model.rows[index.row()] if index.isValid() else None

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()
