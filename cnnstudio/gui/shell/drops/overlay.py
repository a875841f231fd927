"""What is drawn over the window while something is dragged over it: what dropping it will do."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.shell.drops.plan import Step
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line

_VEIL = QColor(0, 0, 0, round(0.32 * 255))
_WIDTH, _PADDING, _HEAD, _ROW = 520, 24, 36, 28
_MAX_ROWS = 8
_MAX_NAME = 200
"""Pixels."""
LOOKING = "Checking what this is…"
NOTHING = "Nothing here can be opened"


class DropOverlay(QWidget):
    """Covers the window. It takes what is dropped, wherever in the window that is."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("dropOverlay")
        self.setAcceptDrops(True)
        self._title = ""
        self._rows: tuple[tuple[str, str, bool], ...] = ()
        self.hide()

    def show_looking(self) -> None:
        """Covers the window; what is dragged is not known yet."""
        self._show(LOOKING, ())
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()

    def show_steps(self, steps: Sequence[Step]) -> None:
        """Says what dropping will do."""
        rows = [(plain_line(step.found.name, 80), step.text, step.is_possible) for step in steps]
        if len(rows) > _MAX_ROWS:
            rows[_MAX_ROWS - 1 :] = [(f"{len(rows) - _MAX_ROWS + 1:,} more", "", True)]
        self._show("Drop here to" if any(step.is_possible for step in steps) else NOTHING, tuple(rows))

    @property
    def texts(self) -> list[str]:
        """What it says, line by line."""
        return [self._title, *(f"{name}: {text}" if text else name for name, text, _ in self._rows)]

    def _show(self, title: str, rows: tuple[tuple[str, str, bool], ...]) -> None:
        self._title, self._rows = title, rows
        self.setAccessibleName(". ".join(self.texts))
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # The drag has ended without a word, for example because its program crashed.
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), _VEIL)
        painter.setPen(QPen(theme().color("accent"), 3, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(8, 8, -8, -8), 10, 10)
        width = min(_WIDTH, self.width() - 48)
        height = 2 * _PADDING + _HEAD + _ROW * len(self._rows) - (0 if self._rows else 12)
        card = QRectF((self.width() - width) // 2, (self.height() - height) // 2, width, height)
        painter.setPen(QPen(theme().color("border"), 1))
        painter.setBrush(theme().color("panel"))
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        self._paint_texts(painter, card.adjusted(_PADDING, _PADDING, -_PADDING, -_PADDING).toRect())
        painter.end()

    def _paint_texts(self, painter: QPainter, area: QRect) -> None:
        left, top, width = area.left(), area.top(), area.width()
        title = TextMetrics(theme().font("title"))
        painter.setFont(title.font)
        painter.setPen(theme().color("text"))
        painter.drawText(left, title.baseline(top + 10), title.elided(self._title, width))
        strong, content = TextMetrics(theme().font("strong")), TextMetrics(theme().font("content"))
        widest = max((strong.width(name) for name, _, _ in self._rows), default=0)
        column = min(widest, _MAX_NAME) + 16
        for number, (name, text, is_possible) in enumerate(self._rows):
            middle = top + _HEAD + _ROW * number + _ROW / 2
            painter.setFont(strong.font)
            painter.setPen(theme().color("text" if is_possible else "secondary"))
            painter.drawText(left, strong.baseline(middle), strong.elided(name, column - 16))
            painter.setFont(content.font)
            painter.setPen(theme().color("text" if is_possible else "wrong"))
            shown = content.elided(plain_line(text), width - column)
            painter.drawText(left + column, content.baseline(middle), shown)
