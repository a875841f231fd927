"""The model of a list whose rows a delegate paints; the texts are for those who do not see it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex


class Row(Protocol):
    """One row."""

    @property
    def key(self) -> Hashable:
        """What the row is about: equal for the same thing with other values."""

    def text(self) -> str:
        """The row in words."""


RowType = TypeVar("RowType", bound=Row)


class RowsModel(QAbstractListModel, Generic[RowType]):
    """Says as little as possible about a change, so that the view keeps its place and its current row."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: Sequence[RowType] = ()
        self._keys: list[Hashable] = []

    def show_rows(self, rows: Sequence[RowType]) -> bool:
        """Shows rows; whether they are about the same things as before, possibly with more at the end."""
        keys, before = [row.key for row in rows], len(self._keys)
        if keys[:before] != self._keys or not before:
            self.beginResetModel()
            self.rows, self._keys = rows, keys
            self.endResetModel()
            return False
        if len(keys) > before:
            self.beginInsertRows(QModelIndex(), before, len(keys) - 1)
            self.rows, self._keys = rows, keys
            self.endInsertRows()
        self.rows = rows
        self.dataChanged.emit(self.index(0), self.index(before - 1))
        return True

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # as in Qt
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.rows[index.row()].text()
        return None
