"""Which line of a plot is which, with their numbers at the place that is read."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme

_MARK = 14
"""Pixels from a mark to its text."""
_GAP = 12
"""Pixels between two entries."""


class Legend(QWidget):
    """Says which line is which, and what they are at the place that is read."""

    _WORDS = (("training", "training"), ("validation", "valid."))

    def __init__(self, *, percent: bool) -> None:
        super().__init__()
        self._percent = percent
        self._epoch: float | None = None
        self._values: tuple[float | None, float | None] = (None, None)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(20)

    def show_values(self, epoch: float | None, training: float | None, validation: float | None) -> None:
        """The values at `epoch`, which is None where it goes without saying: at the end."""
        if (epoch, (training, validation)) != (self._epoch, self._values):
            self._epoch, self._values = epoch, (training, validation)
            self.setToolTip(self.text)
            self.update()

    @property
    def text(self) -> str:
        """All that it says, in words."""
        parts = [f"{word} {self._number(value)}" for word, value in self._entries() if value is not None]
        return ", ".join([*parts, *([f"at epoch {self._epoch:.2f}"] if self._epoch is not None else [])])

    def _entries(self) -> list[tuple[str, float | None]]:
        return [(token, value) for (token, _), value in zip(self._WORDS, self._values, strict=True)]

    def _number(self, value: float) -> str:
        return f"{100 * value:.1f}%" if self._percent else f"{value:.3f}"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme().font("help"))
        left = self._paint_entries(painter, self._texts(painter.fontMetrics()))
        if self._epoch is not None:
            text = f"epoch {self._epoch:.2f}"
            if painter.fontMetrics().horizontalAdvance(text) <= left:
                painter.setPen(theme().color("text"))
                area = QRectF(0, 0, left, self.height())
                painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
        painter.end()

    def _texts(self, metrics: QFontMetrics) -> list[str]:
        """What stands behind each mark: word and number; where there is no room for both, the number."""
        numbers = ["" if value is None else self._number(value) for value in self._values]
        texts = [f"{word} {number}".strip() for (_, word), number in zip(self._WORDS, numbers, strict=True)]
        needed = sum(metrics.horizontalAdvance(text) + _MARK + _GAP for text in texts)
        return texts if needed <= self.width() + _GAP else numbers

    def _paint_entries(self, painter: QPainter, texts: list[str]) -> float:
        """From the right end; gives where they begin."""
        right = float(self.width())
        for (token, _), text in reversed(list(zip(self._WORDS, texts, strict=True))):
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.setPen(theme().color("secondary"))
            area = QRectF(right - width, 0, width, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + _MARK
            painter.fillRect(QRectF(right, self.height() / 2 - 1.5, 9, 3), theme().color(token))
            right -= _GAP
        return right
