"""Cached text metrics for widgets that paint their own text: measuring a text costs more than drawing it."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics

_CACHE_SIZE = 4096


def text_metrics(font: QFont) -> TextMetrics:
    """The metrics of a font, shared by all widgets that paint with it."""
    key = font.toString()
    if key not in _shared:
        _shared[key] = TextMetrics(font)
    return _shared[key]


class TextMetrics:
    """A font with the metrics of texts in it."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self._metrics = QFontMetrics(font)
        self._baseline_offset = (self._metrics.ascent() - self._metrics.descent()) / 2
        self.width = lru_cache(_CACHE_SIZE)(self._measure)
        """width(text): the width of a text in pixels."""
        self.elided = lru_cache(_CACHE_SIZE)(self._elide)
        """elided(text, width): the text, elided if it is wider than that many pixels."""

    def baseline(self, middle: float) -> int:
        """The baseline of a text that is vertically centered at y = `middle`."""
        return round(middle + self._baseline_offset)

    def wrapped(self, text: str, width: int, maximum_lines: int) -> list[str]:
        """The text in lines of at most `width` pixels; if there are too many, the last one is elided."""
        lines = [""]
        words = text.split(" ")
        for position, word in enumerate(words):
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self._measure(longer) <= width:
                lines[-1] = longer
            elif len(lines) < maximum_lines:
                lines.append(word)
            else:
                lines[-1] = " ".join([lines[-1], *words[position:]])
                break
        return [self._elide(line, width) for line in lines]

    def _measure(self, text: str) -> int:
        return self._metrics.horizontalAdvance(text)

    def _elide(self, text: str, width: int) -> str:
        # Qt would also elide a text that is too wide by a fraction of a pixel.
        if self._measure(text) <= width:
            return text
        return self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(width, 0))


_shared: dict[str, TextMetrics] = {}
"""Few: one for each font of the theme."""
