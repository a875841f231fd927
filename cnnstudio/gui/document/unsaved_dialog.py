"""The dialog with the unsaved designs of sessions that ended in a crash."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from cnnstudio.core.formatting import clean_line, pluralize
from cnnstudio.gui.document.autosave import UnsavedDesign
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button

_HELP = (
    "CNN Studio closed unexpectedly while these designs had unsaved changes. "
    "What you neither open nor discard is offered again when you start CNN Studio the next time."
)


class UnsavedDialog(QDialog):
    """Lists the designs, newest first; each can be opened or discarded."""

    def __init__(self, documents: Documents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("unsavedDialog")
        self.setWindowTitle("Unsaved designs")
        self.resize(520, 340)
        self._documents = documents
        self._list = QListWidget()
        self._list.setObjectName("unsavedDesigns")
        self._list.setAccessibleName("Unsaved designs")
        self._list.setSpacing(2)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemActivated.connect(self._on_open)
        self._discard = QPushButton("Discard…")
        self._discard.setObjectName("discardUnsaved")
        self._discard.clicked.connect(self._on_discard)
        self._open = QPushButton("Open")
        self._open.setObjectName("openUnsaved")
        self._open.setProperty("role", "primary")
        self._open.setDefault(True)
        self._open.clicked.connect(self._on_open)
        self._compose()
        self._fill()

    def _compose(self) -> None:
        column = dialog_column(self, "Unsaved designs", _HELP)
        column.addWidget(self._list, 1)
        column.addLayout(button_row(leave_button(self), self._open, left=[self._discard]))

    def _fill(self) -> None:
        self._list.clear()
        for design in self._documents.autosave.found:
            self._list.addItem(QListWidgetItem(_describe(design)))
        self._list.setCurrentRow(0)

    @property
    def _selected(self) -> UnsavedDesign | None:
        row, found = self._list.currentRow(), self._documents.autosave.found
        return found[row] if 0 <= row < len(found) else None

    def _on_open(self) -> None:
        if self._selected is not None and self._documents.open_unsaved(self._selected):
            self.accept()

    def _on_discard(self) -> None:
        if self._selected is None or not self._documents.discard_unsaved(self._selected):
            return
        if self._documents.autosave.found:
            self._fill()
        else:
            self.accept()


def _describe(design: UnsavedDesign) -> str:
    """`Lesson CNN · 8 layers · 2026-11-29 02:15`."""
    parts = [clean_line(design.network.name), pluralize(sum(1 for _ in design.network.walk()), "layer")]
    # Without a time that this machine cannot represent.
    with suppress(ValueError, OverflowError, OSError):
        parts.append(f"{datetime.fromtimestamp(design.saved_at):%Y-%m-%d %H:%M}")
    return " · ".join(parts)
