"""The most probable classes of one image, each with a bar."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.core.formatting import format_percent, screen_reader_text
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line

ROWS = 5
_ROW = 24
_MAX_NAME, _NAME_WIDTH = 40, 160

Scores = tuple[tuple[str, float], ...]
"""Classes with their probabilities, the most probable first."""


class ScoreBars(QWidget):
    """Keeps its height: without scores the bars are empty."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(ROWS * _ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.scores: Scores = ()
        self.show_scores(())
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(320, ROWS * _ROW)

    def show_scores(self, scores: Scores) -> None:
        """Shows the first few of them; none for an answer that is awaited."""
        self.scores = scores[:ROWS]
        texts = [f"{plain_line(name, _MAX_NAME)} {format_percent(score)}" for name, score in self.scores]
        self.setAccessibleName(screen_reader_text(", ".join(texts)) or "No scores yet")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strong = text_metrics(theme().font("strong"))
        widest = max((strong.width(plain_line(name, _MAX_NAME)) for name, _ in self.scores), default=0)
        names = min(widest, _NAME_WIDTH, self.width() // 3) + 12 if self.scores else 0
        for place in range(ROWS):
            name, score = self.scores[place] if place < len(self.scores) else ("", None)
            if score is not None or not self.scores:
                self._paint_row(painter, place, names, name, score)
        painter.end()

    def _paint_row(self, painter: QPainter, place: int, names: int, name: str, score: float | None) -> None:
        style, middle = theme(), place * _ROW + _ROW / 2
        font = text_metrics(style.font("strong" if place == 0 else "content"))
        digits = text_metrics(style.monospace("help"))
        numbers = digits.width("100.0%") + 8
        painter.setFont(font.font)
        painter.setPen(style.color("text"))
        painter.drawText(
            0, font.baseline(middle), font.elided(plain_line(name, _MAX_NAME), max(names - 8, 0))
        )
        whole = max(self.width() - names - numbers, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color("grid"))
        painter.drawRoundedRect(QRectF(names, middle - 4, whole, 8), 4, 4)
        if score is None:
            return
        painter.setBrush(style.color("training" if place == 0 else "secondary"))
        painter.drawRoundedRect(QRectF(names, middle - 4, max(whole * score, 4), 8), 4, 4)
        painter.setFont(digits.font)
        painter.setPen(style.color("text"))
        text = format_percent(score)
        painter.drawText(self.width() - digits.width(text), digits.baseline(middle), text)

    def _on_theme_changed(self, _: object) -> None:
        self.update()
