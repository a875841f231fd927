"""The classes of a data set with the number of images in each split."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.data.adding.understood import Understood
from cnnstudio.gui.widgets.plain_text import plain_line

_TITLES = {"train": "Training", "validation": "Validation", "test": "Test"}
_NAME_WIDTH, _NUMBER_WIDTH = 120, 84
_MAX_NAME = 80
Index = QModelIndex | QPersistentModelIndex


class ClassTable(QTableView):
    """One row for each class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("understoodClasses")
        self.setAccessibleName("Classes and their images")
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        # Long names often begin alike.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
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
            mode = QHeaderView.ResizeMode.Fixed if column else QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(column, mode)
        self._fit_numbers()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_numbers()

    def _fit_numbers(self) -> None:
        """Gives the columns of numbers no more than they need where the names need the room."""
        header, numbers = self.horizontalHeader(), range(1, self._model.columnCount())
        is_narrow = self.viewport().width() - _NUMBER_WIDTH * len(numbers) < _NAME_WIDTH
        for column in numbers:
            least = min(header.sectionSizeHint(column), _NUMBER_WIDTH)
            header.resizeSection(column, least if is_narrow else _NUMBER_WIDTH)


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
