"""The list of the layers that take weights, and of those that start afresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from cnnstudio.gui.training.controls import DETAILS_ROLE, TwoLineDelegate
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

if TYPE_CHECKING:
    from cnnstudio.runs.start_preview import FitRow


class FitList(QListWidget):
    """What fits comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("startFitRows")
        self.setAccessibleName("Which layers take these weights")
        self.setItemDelegate(TwoLineDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_rows(self, rows: Sequence[FitRow]) -> None:
        self.clear()
        for row in rows:
            item = QListWidgetItem(plain_line(row.title), self)
            item.setData(DETAILS_ROLE, plain_line(row.details))
            item.setToolTip(plain_tooltip(f"{row.title}\n{row.details}"))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, plain_line(f"{row.title}: {row.details}"))
