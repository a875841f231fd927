"""The field that other people's code is pasted into."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from cnnstudio.gui.theme.theme import theme
from cnnstudio.interchange.source import MAXIMUM_CHARACTERS

_HINT = (
    "Paste code here, for example\n\n"
    "model = Sequential()\n"
    "model.add(Conv2D(32, (3, 3), activation='relu', input_shape=(32, 32, 3)))\n"
    "…\n\n"
    "or a PyTorch nn.Sequential or nn.Module. It is read, never run."
)


class CodeField(QPlainTextEdit):
    """Plain text in which lines can be marked."""

    refused = Signal(object)
    """The sentence that says why a text was not taken."""

    def __init__(self) -> None:
        super().__init__()
        self._marked: frozenset[int] = frozenset()
        self.setObjectName("importCode")
        self.setAccessibleName("Code to import")
        self.setFont(theme().monospace())
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)
        self.setPlaceholderText(_HINT)
        theme().changed.connect(self._show_marks)

    def take(self, text: str) -> None:
        """Shows this text in place of what there was, if it can be code at all."""
        if len(text) > MAXIMUM_CHARACTERS:
            self.refused.emit(too_long(len(text)))
        else:
            self.setPlainText(text)

    def insertFromMimeData(self, source: QMimeData) -> None:
        # Laying out millions of lines would hold up the window, only for them to be refused.
        if len(source.text()) > MAXIMUM_CHARACTERS:
            self.refused.emit(too_long(len(source.text())))
        else:
            super().insertFromMimeData(source)

    def mark(self, lines: Collection[int]) -> None:
        """Lays a ground under lines, counted from 1."""
        self._marked = frozenset(lines)
        self._show_marks()

    def go_to(self, line: int) -> None:
        """Puts the cursor into a line, counted from 1, and the line into the middle."""
        self.setTextCursor(QTextCursor(self.document().findBlockByNumber(line - 1)))
        self.centerCursor()
        self.setFocus()

    def _show_marks(self, *_: object) -> None:
        ground = QTextCharFormat()
        ground.setBackground(theme().color("selection"))
        ground.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selections = []
        for line in sorted(self._marked):
            block = self.document().findBlockByNumber(line - 1)
            if block.isValid():
                selection = QTextEdit.ExtraSelection()
                selection.format = ground
                selection.cursor = QTextCursor(block)
                selections.append(selection)
        self.setExtraSelections(selections)


def too_long(characters: int) -> str:
    """Why a text of so many characters is not taken."""
    return (
        f"This text has {characters:,} characters; code of a network has at most {MAXIMUM_CHARACTERS:,}. "
        "Paste only the part that builds the model."
    )
