"""The classes of a data set with the number of images in each split."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.data.adding.understood import Understood
from cnnstudio.gui.widgets.plain_text import plain_line

_TITLES = {"train": "Training", "validation": "Validation", "test": "Test"}
_NUMBER_WIDTH = 84
_MAX_NAME = 80
Index = QModelIndex | QPersistentModelIndex


class ClassTable(QTableView):
    """One row for each class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("understoodClasses")
        self.setAccessibleName("Classes and their images")
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setHighlightSections(False)
        self._model = ClassModel(self)
        self.setModel(self._model)

    def show_classes(self, found: Understood | None) -> None:
        """Shows what was understood; None shows nothing."""
        self._model.show_classes(found)
        header = self.horizontalHeader()
        for column in range(self._model.columnCount()):
            if column == 0:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
            else:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
                header.resizeSection(column, _NUMBER_WIDTH)


class ClassModel(QAbstractTableModel):
    """Holds nothing but what it was given."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._found: Understood | None = None
        self._splits: list[str] = []

    def show_classes(self, found: Understood | None) -> None:
        self.beginResetModel()
        self._found = found
        self._splits = found.splits if found is not None else []
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's own default
        return 0 if parent.isValid() or self._found is None else len(self._found.counts)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's own default
        return 0 if parent.isValid() else 1 + len(self._splits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._found is None or not index.isValid():
            return None
        name, counts = self._found.counts[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if index.column() == 0:
            return plain_line(name, _MAX_NAME)
        return format_count(counts.get(self._splits[index.column() - 1], 0))

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[self._splits[section - 1]] if section else "Class"
        return None
