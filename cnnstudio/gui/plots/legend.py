"""The legend of a plot, with the values at the epoch that is shown."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme

_MARK = 14
"""Pixels from the left of a mark to its text."""
_GAP = 12
"""Pixels between two entries."""


class Legend(QWidget):
    """Names the two lines and shows their values."""

    _NAMES = (("training", "train"), ("validation", "val"))
    """The color token, which is also the full name, and the name that is painted."""

    def __init__(self, *, percent: bool) -> None:
        super().__init__()
        self._percent = percent
        self._epoch: float | None = None
        self._values: tuple[float | None, float | None] = (None, None)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(20)

    def show_values(self, epoch: float | None, training: float | None, validation: float | None) -> None:
        """Shows the values at `epoch`, which is None for the end of the run."""
        if (epoch, (training, validation)) != (self._epoch, self._values):
            self._epoch, self._values = epoch, (training, validation)
            self.setToolTip(self.text)
            self.update()

    @property
    def text(self) -> str:
        """The legend as text, such as `training 0.591, validation 0.640, at epoch 3.00`."""
        names = (name for name, _ in self._NAMES)
        entries = zip(names, self._values, strict=True)
        parts = [f"{name} {self._format(value)}" for name, value in entries if value is not None]
        return ", ".join([*parts, *([f"at epoch {self._epoch:.2f}"] if self._epoch is not None else [])])

    def _format(self, value: float) -> str:
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
        """The text of each entry: name and value, or only the value if they do not fit."""
        values = ["" if value is None else self._format(value) for value in self._values]
        texts = [f"{name} {value}".strip() for (_, name), value in zip(self._NAMES, values, strict=True)]
        width = sum(metrics.horizontalAdvance(text) + _MARK + _GAP for text in texts)
        return texts if width <= self.width() + _GAP else values

    def _paint_entries(self, painter: QPainter, texts: list[str]) -> float:
        """Paints the entries from the right end and returns the x at which they begin."""
        right = float(self.width())
        for (token, _), text in reversed(list(zip(self._NAMES, texts, strict=True))):
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.setPen(theme().color("secondary"))
            area = QRectF(right - width, 0, width, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + _MARK
            painter.fillRect(QRectF(right, self.height() / 2 - 1.5, 9, 3), theme().color(token))
            right -= _GAP
        return right
