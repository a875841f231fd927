"""The most probable classes of one image, each with a bar, and the threshold of “not sure” through them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from cnnstudio.core.formatting import format_percent, screen_reader_text
from cnnstudio.gui.pages.try_image.certainty.coverage_curve import paint_threshold
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

ROWS = 5
_ROW = 24
_MAX_NAME, _NAME_WIDTH, _NAME_SHARE = 40, 220, 0.45
"""Characters and pixels of a name at most, and how much of the width it may have."""
_NEAR = 6
"""Pixels beside the line at which it can be dragged."""

Scores = tuple[tuple[str, float], ...]
"""Classes with their probabilities, the most probable first."""


class ScoreBars(QWidget):
    """Keeps its height: without scores the bars are empty. The line of the threshold can be dragged."""

    threshold_moved = Signal(object)
    """The threshold to which the user drags the line, 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self._is_dragging = False
        self.threshold: float | None = None
        """Where the line is; None for no line."""
        self.setFixedHeight(ROWS * _ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.scores: Scores = ()
        self.show_scores(())
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(320, ROWS * _ROW)

    def show_scores(self, scores: Scores, threshold: float | None = None) -> None:
        """Shows the first few of them; none for an answer that is awaited."""
        self.threshold = threshold
        self.scores = scores[:ROWS]
        texts = [f"{plain_line(name, _MAX_NAME)} {format_percent(score)}" for name, score in self.scores]
        self.setAccessibleName(screen_reader_text(", ".join(texts)) or "No scores yet")
        self.update()

    # The bars' place, and the line in it

    @property
    def _names(self) -> int:
        """The width of the names at the left."""
        strong = text_metrics(theme().font("strong"))
        widest = max((strong.width(plain_line(name, _MAX_NAME)) for name, _ in self.scores), default=0)
        return min(widest, _NAME_WIDTH, round(_NAME_SHARE * self.width())) + 12 if self.scores else 0

    @property
    def _bar_width(self) -> int:
        numbers = text_metrics(theme().monospace("help")).width("100.0%") + 8
        return max(self.width() - self._names - numbers, 20)

    @property
    def line_x(self) -> float | None:
        """Where the line is; None without one."""
        if self.threshold is None or not self.scores:
            return None
        return self._names + self.threshold * self._bar_width

    def _is_near_line(self, x: float) -> bool:
        line = self.line_x
        return line is not None and abs(x - line) <= _NEAR

    def mousePressEvent(self, event: QMouseEvent) -> None:
        is_left = event.button() is Qt.MouseButton.LeftButton
        self._is_dragging = is_left and self._is_near_line(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        is_near = self._is_dragging or self._is_near_line(x)
        self.setCursor(Qt.CursorShape.SplitHCursor if is_near else Qt.CursorShape.ArrowCursor)
        if self._is_dragging:
            self.threshold_moved.emit(min(max((x - self._names) / self._bar_width, 0.0), 1.0))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._is_dragging = False

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            place = event.y() // _ROW
            if place < len(self.scores):
                name, score = self.scores[place]
                QToolTip.showText(event.globalPos(), plain_tooltip(f"{name}: {format_percent(score)}"), self)
                return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = self._names
        for place in range(ROWS):
            name, score = self.scores[place] if place < len(self.scores) else ("", None)
            if score is not None or not self.scores:
                self._paint_row(painter, place, names, name, score)
        line = self.line_x
        if line is not None:
            paint_threshold(painter, line, 0, self.height())
        painter.end()

    def _paint_row(self, painter: QPainter, place: int, names: int, name: str, score: float | None) -> None:
        style, middle = theme(), place * _ROW + _ROW / 2
        font = text_metrics(style.font("strong" if place == 0 else "content"))
        digits = text_metrics(style.monospace("help"))
        painter.setFont(font.font)
        painter.setPen(style.color("text"))
        painter.drawText(
            0, font.baseline(middle), font.elided(plain_line(name, _MAX_NAME), max(names - 8, 0))
        )
        whole = self._bar_width
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
