"""The dialog of the data sets."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.data.data_sets import DataSets
from cnnstudio.gui.widgets.labels import Label


class DataDialog(QDialog):
    """Lists the sources; closing it cancels what is in progress."""

    chosen = Signal(object)
    """The name of the data set that the user wants to train on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dataDialog")
        self.setWindowTitle("Data sets")
        self.resize(680, 560)
        self.data_sets = DataSets()
        self.data_sets.chosen.connect(self._on_chosen)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(Label("Data sets", "title"))
        column.addWidget(self.data_sets, 1)
        column.addLayout(foot)

    def _on_chosen(self, name: object) -> None:
        self.chosen.emit(name)
        self.accept()

    def done(self, result: int) -> None:
        self.data_sets.close_tasks()
        super().done(result)
