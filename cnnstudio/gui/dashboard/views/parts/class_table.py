"""Precision, recall, F1 and the number of images of each class, as a table that can be sorted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from cnnstudio.core.formatting import format_count, format_percent
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

COLUMNS = ("Class", "Precision", "Recall", "F1", "Images")
_TOOLTIPS = (
    "",
    "Of the images predicted as the class, the share that are of it",
    "Of the images of the class, the share predicted as it",
    "The harmonic mean of precision and recall",
    "The evaluated images of the class",
)
_ROW_HEIGHT = 24
_Index = QModelIndex | QPersistentModelIndex


class _Model(QAbstractTableModel):
    """One row per class, in an order that a click on a column's head changes."""

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._values = np.empty((0, 4))
        self.order = np.empty(0, np.intp)
        self._sorting: tuple[int, bool] | None = None

    def show_scores(self, names: tuple[str, ...], values: np.ndarray) -> None:
        """`values` is float64 (K, 4): precision, recall, F1, images; NaN where undefined."""
        self.layoutAboutToBeChanged.emit()
        self._names, self._values = names, values
        self._arrange()
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        self.order = np.arange(len(self._names))
        if self._sorting is None:
            return
        column, descending = self._sorting
        if column == 0:
            self.order = np.array(sorted(self.order, key=lambda at: self._names[at].casefold()), np.intp)
            self.order = self.order[::-1] if descending else self.order
        else:
            keys = self._values[:, column - 1]
            # NaN is the last in both directions.
            self.order = np.argsort(-keys if descending else keys, kind="stable")

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        self._sorting = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        self._arrange()
        self.layoutChanged.emit()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # as in Qt
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # as in Qt
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _TOOLTIPS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(section)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.order):
            return None
        at, column = self.order[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return plain_line(self._names[at], 60) if column == 0 else self._text(at, column)
        if role == Qt.ItemDataRole.ToolTipRole and column == 0:
            return plain_tooltip(self._names[at])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.FontRole and column > 0:
            return theme().monospace()
        return None

    def _text(self, at: int, column: int) -> str:
        value = float(self._values[at, column - 1])
        if math.isnan(value):
            return "–"
        return format_count(int(value)) if column == len(COLUMNS) - 1 else format_percent(value)


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


class ClassTable(QTableView):
    """The scores per class. Chooses a class by mouse or arrow keys."""

    chosen = Signal(object)
    """The index of the class that the user chose."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("classTable")
        self.setAccessibleName("Scores per class")
        self._model = _Model()
        self.setModel(self._model)
        # Long names often begin alike.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSortIndicatorClearable(True)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.verticalHeader().setMinimumSectionSize(_ROW_HEIGHT)
        self.clicked.connect(self._on_activated)
        self.activated.connect(self._on_activated)

    def show_scores(self, names: tuple[str, ...], values: np.ndarray) -> None:
        """`values` is float64 (K, 4): precision, recall, F1, images; NaN where undefined."""
        self._model.show_scores(names, values)

    def _on_activated(self, index: QModelIndex) -> None:
        self.chosen.emit(int(self._model.order[index.row()]))
