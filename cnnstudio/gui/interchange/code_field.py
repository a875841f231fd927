"""The text field for the code to import."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from cnnstudio.gui.theme.theme import theme
from cnnstudio.interchange.effort import MAXIMUM_CHARACTERS

_HINT = (
    "Paste code here, for example\n\n"
    "model = Sequential()\n"
    "model.add(Conv2D(32, (3, 3), input_shape=(32, 32, 3)))\n"
    "…\n\n"
    "or a PyTorch nn.Sequential or nn.Module. The code is parsed, never executed."
)


class CodeField(QPlainTextEdit):
    """Plain text in which lines can be highlighted."""

    rejected = Signal(object)
    """The reason why a text was rejected."""

    def __init__(self) -> None:
        super().__init__()
        self._highlighted: frozenset[int] = frozenset()
        self.setObjectName("importCode")
        self.setAccessibleName("Code to import")
        self.setFont(theme().monospace())
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)
        self.setPlaceholderText(_HINT)
        theme().changed.connect(self._show_highlights)

    def set_code(self, text: str) -> None:
        """Replaces the text, unless it is too long."""
        if len(text) > MAXIMUM_CHARACTERS:
            self.rejected.emit(too_long_message(len(text)))
        else:
            self.setPlainText(text)

    def insertFromMimeData(self, source: QMimeData) -> None:
        # The layout of millions of lines would block the window for a text that is rejected anyway.
        if len(source.text()) > MAXIMUM_CHARACTERS:
            self.rejected.emit(too_long_message(len(source.text())))
        else:
            super().insertFromMimeData(source)

    def highlight(self, lines: Collection[int]) -> None:
        """Highlights these lines, numbered from 1."""
        self._highlighted = frozenset(lines)
        self._show_highlights()

    def go_to_line(self, line: int) -> None:
        """Moves the cursor to a line, numbered from 1, and scrolls it to the center."""
        self.setTextCursor(QTextCursor(self.document().findBlockByNumber(line - 1)))
        self.centerCursor()
        self.setFocus()

    def _show_highlights(self, *_: object) -> None:
        background = QTextCharFormat()
        background.setBackground(theme().color("selection"))
        background.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selections = []
        for line in sorted(self._highlighted):
            block = self.document().findBlockByNumber(line - 1)
            if block.isValid():
                selection = QTextEdit.ExtraSelection()
                selection.format = background
                selection.cursor = QTextCursor(block)
                selections.append(selection)
        self.setExtraSelections(selections)


def too_long_message(characters: int) -> str:
    """Why a text with so many characters is rejected."""
    return (
        f"This text has {characters:,} characters; the limit is {MAXIMUM_CHARACTERS:,}. "
        "Paste only the part that builds the model."
    )
