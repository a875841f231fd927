"""The delegate of the layer list: row heights, and the editor for names. Rows are painted by the view."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QAbstractItemModel, QObject, QRect, QSize
from PySide6.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from cnnstudio.gui.designer.layer_list.layer_model import Index
from cnnstudio.gui.designer.layer_list.row_painter import ROW_HEIGHT
from cnnstudio.gui.theme.theme import theme

_DEFAULT_SIZE = QSize(0, ROW_HEIGHT)


class RowDelegate(QStyledItemDelegate):
    """Row heights, and the editor for names."""

    def __init__(self, parent: QObject, title_rect: Callable[[Index], QRect]) -> None:
        """`title_rect` gives the rectangle of a row's name in the viewport."""
        super().__init__(parent)
        self._title_rect = title_rect
        self.sizes: dict[int, QSize] = {}
        """Internal id -> size of the rows that are higher than ROW_HEIGHT."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self.sizes.get(index.internalId(), _DEFAULT_SIZE)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        field = QLineEdit(parent)
        field.setObjectName("layerName")
        field.setFont(theme().font("strong"))
        field.setAccessibleName("Layer name")
        return field

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        editor.setGeometry(self._title_rect(index))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            model.setData(index, editor.text())
