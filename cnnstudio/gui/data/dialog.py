"""The dialog of the data sets."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QStackedWidget, QVBoxLayout, QWidget

from cnnstudio.gui.data.adding.panel import AddImages
from cnnstudio.gui.data.data_sets import DataSets
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button


class DataDialog(QDialog):
    """Lists the sources; closing it cancels what is in progress."""

    chosen = Signal(object)
    """The name of the data set that the user wants to train on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dataDialog")
        self.setWindowTitle("Data sets")
        self.resize(760, 600)
        self.data_sets = DataSets()
        self.data_sets.chosen.connect(self._on_chosen)
        self.data_sets.folder_chosen.connect(self._on_folder_chosen)
        self.adding = AddImages()
        self.adding.added.connect(self._on_added)
        self.adding.closed.connect(lambda: self._stack.setCurrentIndex(0))
        first = QWidget()
        column = dialog_column(first, "Data sets")
        column.addWidget(self.data_sets, 1)
        column.addLayout(button_row(leave_button(self)))
        self._stack: QStackedWidget = QStackedWidget(self)
        self._stack.addWidget(first)
        self._stack.addWidget(self.adding)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def _on_folder_chosen(self, folder: object) -> None:
        assert isinstance(folder, Path)
        self._stack.setCurrentWidget(self.adding)
        self.adding.look_at(folder)

    def _on_added(self, added: object) -> None:
        assert isinstance(added, tuple)
        name, is_used, before = added
        self._stack.setCurrentIndex(0)
        self.data_sets.show_added(name, is_new=not before)
        self.data_sets.changed.emit()
        if is_used:
            self._on_chosen(name)
        elif before and before == self.data_sets.used:
            # The set in use stays in use, under its new name, and may have other classes now.
            self.data_sets.show_used(name)
            self.chosen.emit(name)

    def _on_chosen(self, name: object) -> None:
        self.chosen.emit(name)
        self.accept()

    def done(self, result: int) -> None:
        self.data_sets.close_tasks()
        self.adding.close_tasks()
        super().done(result)
