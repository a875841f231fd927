"""Syntax highlighting for Python code: strings, comments, keywords and numbers."""

from __future__ import annotations

import keyword
import re

from PySide6.QtGui import QSyntaxHighlighter, QTextCharFormat, QTextDocument

from cnnstudio.gui.theme.theme import theme

_PLAIN, _IN_DOCSTRING = 0, 1
_QUOTES = '"""'
_PATTERN = re.compile(
    r"(?P<string>\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*')"
    r"|(?P<comment>#.*)"
    rf"|(?P<keyword>\b(?:{'|'.join(keyword.kwlist)})\b)"
    r"|(?P<number>(?<![\w.])\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?\b)"
)
_COLORS = {"string": "good", "comment": "secondary", "keyword": "accent", "number": "core"}


class PythonHighlighter(QSyntaxHighlighter):
    """Highlights a document of Python code, again whenever the color scheme changes."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        theme().changed.connect(self._on_theme_changed)

    def highlightBlock(self, text: str) -> None:
        self.setCurrentBlockState(_PLAIN)
        start = 0
        if self.previousBlockState() == _IN_DOCSTRING:
            start = self._docstring(text, 0, text.find(_QUOTES))
        while start < len(text):
            opening = text.find(_QUOTES, start)
            self._tokens(text, start, opening if opening >= 0 else len(text))
            if opening < 0:
                return
            start = self._docstring(text, opening, text.find(_QUOTES, opening + len(_QUOTES)))

    def _docstring(self, text: str, start: int, closing: int) -> int:
        """Colors up to the closing quotes, or the end of the line; returns where that is."""
        end = closing + len(_QUOTES) if closing >= 0 else len(text)
        if closing < 0:
            self.setCurrentBlockState(_IN_DOCSTRING)
        self._color(start, end, "comment")
        return end

    def _tokens(self, text: str, start: int, end: int) -> None:
        for found in _PATTERN.finditer(text, start, end):
            self._color(found.start(), found.end(), str(found.lastgroup))

    def _color(self, start: int, end: int, kind: str) -> None:
        char_format = QTextCharFormat()
        char_format.setForeground(theme().color(_COLORS[kind]))
        self.setFormat(start, end - start, char_format)

    def _on_theme_changed(self, _: object) -> None:
        self.rehighlight()
