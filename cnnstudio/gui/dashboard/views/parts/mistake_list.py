"""A list of images with what was predicted for each and what it is, as labeled bars."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import (
    QModelIndex,
    QPoint,
    QPointF,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.parts.rows_list import RowsDelegate, RowsView
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.plain_text import plain_line

ROW_HEIGHT = 83
_IMAGE, _MARGIN = 56, 16
_LABEL_WIDTH, _BAR_HEIGHT = 64, 6
_MAX_NAME = 60


@dataclass(frozen=True, eq=False)
class MistakeRow:
    """One image with two of its scores."""

    index: int
    """Its number in the evaluated split, from 0."""
    image: np.ndarray
    """uint8 (C, H, W)."""
    predicted: str
    predicted_score: float
    actual: str
    actual_score: float
    runner_up: str = ""
    """The second likeliest class, where it is neither of the two."""
    runner_up_score: float = 0.0

    @property
    def key(self) -> Hashable:
        # The image too: that of another run may have the same number.
        return self.index, self.image.tobytes()

    @property
    def is_right(self) -> bool:
        return self.predicted == self.actual

    def lines(self) -> list[tuple[str, str, float, str]]:
        """(label, class, score, color token) of each bar."""
        predicted = ("predicted", self.predicted, self.predicted_score)
        if self.is_right:
            found = [(*predicted, "good")]
        else:
            found = [(*predicted, "validation"), ("actual", self.actual, self.actual_score, "good")]
        if self.runner_up:
            found.append(("next", self.runner_up, self.runner_up_score, "secondary"))
        return found

    def text(self) -> str:
        """The row in words: `Image 3: predicted deer (98.1%), actual dog (0.4%)`."""
        parts = (
            f"{label} {plain_line(name, _MAX_NAME)} ({format_percent(score)})"
            for label, name, score, _ in self.lines()
        )
        return f"Image {self.index + 1}: {', '.join(parts)}"


class _Delegate(RowsDelegate[MistakeRow]):
    height = ROW_HEIGHT

    def paint_row(self, painter: QPainter, row: MistakeRow, rect: QRectF) -> None:
        style = theme()
        area = QRectF(rect.left() + _MARGIN, rect.top() + 6, _IMAGE, _IMAGE)
        paint_image(painter, area, self.pixmap(row.key, row.image))
        small = text_metrics(theme().font("help"))
        painter.setFont(small.font)
        painter.setPen(style.color("secondary"))
        caption = small.elided(f"{row.index + 1}", _IMAGE)
        painter.drawText(QPointF(area.left(), small.baseline(area.bottom() + 10)), caption)
        self._paint_lines(painter, row, rect.adjusted(_MARGIN + _IMAGE + 16, 0, -_MARGIN, 0))
        painter.setPen(style.color("grid"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())

    def _paint_lines(self, painter: QPainter, row: MistakeRow, area: QRectF) -> None:
        lines = row.lines()
        pitch = 24.0 if len(lines) < 3 else 23.0
        middle = area.top() + (ROW_HEIGHT - 1) / 2 - pitch * (len(lines) - 1) / 2
        for number, (label, name, score, token) in enumerate(lines):
            self._paint_line(painter, area, middle + number * pitch, (label, name, score, token))

    def _paint_line(
        self, painter: QPainter, area: QRectF, middle: float, line: tuple[str, str, float, str]
    ) -> None:
        """Label, class, bar and number, in columns that do not depend on the texts."""
        label, name, score, token = line
        style, small = theme(), text_metrics(theme().font("help"))
        mono = text_metrics(style.monospace())
        number_width = mono.width("100.0%")
        names = text_metrics(style.font("strong" if label == "predicted" else "content"))
        left = area.left() + _LABEL_WIDTH
        free = area.right() - left - number_width - 12
        name_width = min(max(free * 0.45, 60.0), 220.0)
        painter.setFont(small.font)
        painter.setPen(style.color("secondary"))
        painter.drawText(QPointF(area.left(), small.baseline(middle)), label)
        painter.setFont(names.font)
        painter.setPen(style.color("text"))
        text = names.elided(plain_line(name, _MAX_NAME), int(name_width) - 8)
        painter.drawText(QPointF(left, names.baseline(middle)), text)
        bar = QRectF(left + name_width, middle - _BAR_HEIGHT / 2, max(free - name_width, 16.0), _BAR_HEIGHT)
        paint_bar(painter, bar, score, token)
        number = format_percent(score)
        painter.setFont(mono.font)
        painter.setPen(style.color("text"))
        x = area.right() - mono.width(number)
        painter.drawText(QPointF(x, mono.baseline(middle)), number)


def paint_bar(painter: QPainter, bar: QRectF, share: float, token: str) -> None:
    """A bar on a track; even a tiny share has a visible end."""
    radius = bar.height() / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("grid"))
    painter.drawRoundedRect(bar, radius, radius)
    painter.setBrush(theme().color(token))
    width = max(bar.width() * min(max(share, 0.0), 1.0), 2.0)
    painter.drawRoundedRect(QRectF(bar.left(), bar.top(), width, bar.height()), radius, radius)


class MistakeList(RowsView[MistakeRow]):
    """Arrow keys choose an image; Escape leaves the list."""

    chosen = Signal(object)
    """The MistakeRow that the user chose."""
    left = Signal()

    def __init__(self) -> None:
        super().__init__("mistakeList", "Images")
        self._delegate = _Delegate(self, self._model)
        self.setItemDelegate(self._delegate)
        self.verticalScrollBar().setSingleStep(ROW_HEIGHT // 3)
        self.clicked.connect(lambda _: self._on_current())

    @property
    def rows(self) -> Sequence[MistakeRow]:
        """The rows that are shown."""
        return self._model.rows

    def show_rows(self, rows: list[MistakeRow]) -> None:
        """Shows rows; an image that was chosen before stays chosen where it is still in the list."""
        before = self.current
        if self._model.show_rows(rows):
            return
        self._delegate.forget_images()
        if before is not None:
            self.choose((before.index,))

    @property
    def current(self) -> MistakeRow | None:
        """The chosen row."""
        return self.current_row

    def center_of(self, row: int) -> QPoint:
        """The middle of a row in the viewport, for a click."""
        return self.visualRect(self._model.index(row)).center()

    def choose(self, images: tuple[int, ...]) -> None:
        """Chooses a row of one of these images, without telling anybody; the present one if it is."""
        if self.current is not None and self.current.index in images:
            return
        for number, row in enumerate(self._model.rows):
            if row.index in images:
                self.setCurrentIndex(self._model.index(number))
                return
        self.setCurrentIndex(QModelIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if self.currentIndex().row() != before:
            self._on_current()

    def _on_current(self) -> None:
        if self.current is not None:
            self.chosen.emit(self.current)
