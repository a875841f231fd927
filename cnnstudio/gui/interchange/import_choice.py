"""Whether imported layers replace the design or are inserted into it."""

from __future__ import annotations

from PySide6.QtWidgets import QButtonGroup, QPushButton, QRadioButton, QVBoxLayout, QWidget

_INDENT = 26


class ImportChoice(QVBoxLayout):
    """Two choices; options that only replacing has stand below it, indented."""

    def __init__(self, *options: QWidget) -> None:
        super().__init__()
        self.replace = QRadioButton("Replace the current design")
        self.replace.setObjectName("importReplaces")
        self.replace.setChecked(True)
        self.insert = QRadioButton("Insert the layers after the selection")
        self.insert.setObjectName("importInserts")
        group = QButtonGroup(self)
        group.addButton(self.replace)
        group.addButton(self.insert)
        inner = QVBoxLayout()
        inner.setContentsMargins(_INDENT, 0, 0, 0)
        inner.setSpacing(2)
        for option in options:
            inner.addWidget(option)
        self.setSpacing(2)
        self.addWidget(self.replace)
        self.addLayout(inner)
        self.addWidget(self.insert)

    @property
    def is_replacing(self) -> bool:
        return self.replace.isChecked()


def import_button() -> QPushButton:
    """The button that imports what is shown."""
    button = QPushButton("Import")
    button.setObjectName("importButton")
    button.setProperty("role", "primary")
    button.setDefault(True)
    return button
