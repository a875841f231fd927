"""What the dialogs have in common: their margins, their title, and the row of their buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.widgets.labels import Label

_MARGIN, _SPACING, _BUTTON_SPACING = 16, 12, 8
_LEAST_WIDTH = 480


def dialog_column(dialog: QWidget, title: str = "", help: str = "") -> QVBoxLayout:
    """The layout of a dialog, or of one of its pages: below the title and the help comes what is added.

    A dialog cannot be made so narrow that sentences are cut: for the smallest size of a window, Qt does not
    ask how many lines a text takes in it.
    """
    if isinstance(dialog, QDialog):
        dialog.setMinimumWidth(max(dialog.minimumWidth(), _LEAST_WIDTH))
    column = QVBoxLayout(dialog)
    column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    column.setSpacing(_SPACING)
    if title:
        column.addWidget(Label(title, "title"))
    if help:
        column.addWidget(Label(help, "help", "secondary", wrap=True))
    return column


def button_row(*buttons: QWidget, left: Sequence[QWidget | QLayout] = ()) -> QHBoxLayout:
    """The buttons at the bottom right of a dialog, and what stands at the left of the same row."""
    row = QHBoxLayout()
    row.setSpacing(_BUTTON_SPACING)
    for part in left:
        if isinstance(part, QLayout):
            row.addLayout(part)
        else:
            row.addWidget(part)
    row.addStretch(1)
    for button in buttons:
        row.addWidget(button)
    return row


def leave_button(dialog: QDialog, text: str = "Close") -> QPushButton:
    """A button that closes the dialog without doing anything."""
    button = QPushButton(text)
    button.clicked.connect(dialog.reject)
    return button
