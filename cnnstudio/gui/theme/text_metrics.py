"""Fonts for what paints its own text: measured once per text, because measuring costs more than drawing."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics

_TEXTS = 4096


class Face:
    """A font with its measures."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self._metrics = QFontMetrics(font)
        self._middle = (self._metrics.ascent() - self._metrics.descent()) / 2
        self.width = lru_cache(_TEXTS)(self._measure)
        """Pixels that a text takes."""
        self.fitting = lru_cache(_TEXTS)(self._fit)
        """The text, cut with an ellipsis where it is wider than a number of pixels."""

    def baseline(self, middle: float) -> int:
        """Where to put the text so that it stands around the height `middle`."""
        return round(middle + self._middle)

    def wrapped(self, text: str, width: int, most_lines: int) -> list[str]:
        """The text in lines of at most `width` pixels; what is too much ends in an ellipsis."""
        lines = [""]
        words = text.split(" ")
        for position, word in enumerate(words):
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self._measure(longer) <= width:
                lines[-1] = longer
            elif len(lines) < most_lines:
                lines.append(word)
            else:
                lines[-1] = " ".join([lines[-1], *words[position:]])
                break
        return [self._fit(line, width) for line in lines]

    def _measure(self, text: str) -> int:
        return self._metrics.horizontalAdvance(text)

    def _fit(self, text: str, width: int) -> str:
        # Qt would also cut a text that is wider by a part of a pixel.
        if self._measure(text) <= width:
            return text
        return self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(width, 0))
