"""Shows two runs, before and after corrections of the labels, on the same images."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QPushButton, QWidget

from cnnstudio.core.formatting import format_count, format_percent
from cnnstudio.gui.theme.theme import Role
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column
from cnnstudio.gui.widgets.labels import Label, Line
from cnnstudio.runs.retraining.before_after import BeforeAfter

_WIDTH = 520
_TITLE = "Before and after the corrections"
_HEADINGS = ("On the corrected images", "Images", "Before", "After")


class BeforeAfterDialog(QDialog):
    """A table of the accuracies, and what they mean."""

    def __init__(self, found: BeforeAfter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beforeAfterDialog")
        self.setWindowTitle(_TITLE)
        self.setMinimumWidth(_WIDTH)
        close = QPushButton("Close")
        close.setObjectName("beforeAfterClose")
        close.setProperty("role", "primary")
        close.clicked.connect(self.accept)
        column = dialog_column(self, _TITLE)
        column.addLayout(_table(found))
        column.addWidget(Line())
        for line in (found.phrase, *found.remarks()):
            column.addWidget(Label(line, wrap=True))
        column.addStretch(1)
        column.addLayout(button_row(close))


def _table(found: BeforeAfter) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(0, 1)

    def add(row: int, texts: tuple[str, ...], role: Role, is_head: bool = False) -> None:
        for column, text in enumerate(texts):
            label = Label(text, role, "secondary" if is_head else "text")
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            grid.addWidget(label, row, column, side)

    add(0, _HEADINGS, "help", is_head=True)
    for row, each in enumerate(found.splits, start=1):
        accuracies = (format_percent(scores.accuracy) for scores in (each.before, each.after))
        add(row, (f"{each.split.capitalize()} accuracy", format_count(each.images), *accuracies), "content")
    return grid
