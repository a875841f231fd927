"""Images with the scores of their classes as curves over the epochs, one row for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import ScrollingCanvas
from cnnstudio.gui.widgets.canvas.keys import is_plain
from cnnstudio.gui.widgets.canvas.marks import paint_focus, paint_image
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

_ROW, _LARGEST_ROW, _MARGIN = 84, 180, 16
_IMAGE, _LARGEST_IMAGE, _CAPTION = 56, 112, 28
"""The side of an image in the lowest row and in the highest, and what a row has below and above it."""
_CAPTION_LINE = 15
_IMAGE_SHARE = 0.15
_MOST_NAME, _BESIDE_NAME, _LEAST_CHART = 240.0, 24.0, 120.0
"""The width of a class's name at most, what its mark of color and the gaps beside it take,
and what longer names leave to the chart."""
_MAX_NAME = 40


@dataclass(frozen=True, eq=False)
class ScoreLine:
    """The scores of one class."""

    name: str
    scores: np.ndarray
    """float (E,), 0 to 1, one for each of the row's epochs."""
    token: str
    """The color of the curve."""


@dataclass(frozen=True, eq=False)
class ScoreRow:
    """One image; the first of its lines is the class that is predicted at the cursor's epoch."""

    image: np.ndarray
    """uint8 (C, H, W)."""
    actual: str
    """Empty if it is not known."""
    lines: tuple[ScoreLine, ...]
    epochs: tuple[int, ...]
    """Ascending; images of the user's own have scores of other epochs than those of the data set."""
    at: int
    """The index of the cursor's epoch in them."""
    name: str = ""
    """What stands below an image whose class is not known."""

    @property
    def is_right(self) -> bool | None:
        """Whether the prediction is correct; None if that is not known."""
        return self.lines[0].name == self.actual if self.actual else None

    def verdict(self) -> str:
        """`✓ cat 97.0%`, or `dog 61.2%`."""
        first = self.lines[0]
        mark = {True: "✓ ", False: "✗ ", None: ""}[self.is_right]
        return f"{mark}{plain_line(first.name, _MAX_NAME)} {format_percent(float(first.scores[self.at]))}"

    def text(self) -> str:
        """`Predicted: dog (61.2%), actual: cat (20.1%)`."""
        first = self.lines[0]
        name = f"{plain_line(self.name, _MAX_NAME)}: " if self.name else ""
        score = format_percent(float(first.scores[self.at]))
        start = f"{name}Predicted: {plain_line(first.name, _MAX_NAME)} ({score})"
        if self.is_right is None:
            return start
        if self.is_right:
            return f"{start}, correct"
        actual = next((line for line in self.lines if line.name == self.actual), None)
        score = "" if actual is None else f" ({format_percent(float(actual.scores[self.at]))})"
        return f"{start}, actual: {plain_line(self.actual, _MAX_NAME)}{score}"


def _marked(row: ScoreRow, number: int) -> str:
    """The class of a line; that which is predicted with whether it is correct."""
    mark = {True: "✓ ", False: "✗ ", None: ""}[row.is_right] if number == 0 else ""
    return f"{mark}{plain_line(row.lines[number].name, _MAX_NAME)}"


class ScoreCharts(ScrollingCanvas):
    """Chooses an image by mouse or by ↑ and ↓; Delete asks to remove it."""

    chosen = Signal(object)
    """The index of the row that the user chose."""
    removed = Signal(object)
    """The index of the row that the user wants to remove."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("scoreCharts")
        self.setAccessibleName("Scores over the epochs")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._rows: tuple[ScoreRow, ...] = ()
        self._range = 0, 1
        """The first and the last epoch of the charts."""
        self._pixmaps: list[QPixmap] = []
        self._index = 0
        self._names_width = 120.0
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(420, 5 * _ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, _ROW)

    @property
    def rows(self) -> tuple[ScoreRow, ...]:
        return self._rows

    @property
    def index(self) -> int:
        """The chosen row."""
        return self._index

    def show_rows(self, rows: tuple[ScoreRow, ...], index: int) -> None:
        """Shows rows over the same epochs; `index` is the chosen row."""
        if [id(row.image) for row in rows] != [id(row.image) for row in self._rows]:
            self._pixmaps = [QPixmap.fromImage(to_qimage(row.image)) for row in rows]
        self._rows = rows
        first = min((row.epochs[0] for row in rows), default=0)
        self._range = first, max(first + 1, *(row.epochs[-1] for row in rows), first + 1)
        self._index = min(max(index, 0), max(len(rows) - 1, 0))
        self.setAccessibleDescription(rows[self._index].text() if rows else "")
        self._arrange()

    # Layout

    @property
    def _height(self) -> float:
        """The height of a row: the rows fill the view, if they are not too many or too few."""
        count = max(len(self._rows), 1)
        return min(max(self.viewport().height() / count, float(_ROW)), float(_LARGEST_ROW))

    @property
    def _image_side(self) -> int:
        """As high as the row allows, but not so wide that little is left to the curves."""
        most = min(self._height - _CAPTION, self.viewport().width() * _IMAGE_SHARE, _LARGEST_IMAGE)
        return max(round(most), _IMAGE)

    def _arrange(self) -> None:
        bar = self.verticalScrollBar()
        bar.setRange(0, max(round(self._height * len(self._rows)) - self.viewport().height(), 0))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(_ROW // 3)
        self.viewport().update()

    def rect_of(self, index: int) -> QRectF:
        """Where a row is, in the viewport."""
        top = index * self._height - self.verticalScrollBar().value()
        return QRectF(0, top, self.viewport().width(), self._height)

    def _at(self, point: QPointF) -> int | None:
        return next((at for at in range(len(self._rows)) if self.rect_of(at).contains(point)), None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index is not None:
            self._choose(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() in steps and self._rows and is_plain(event):
            self._choose(min(max(self._index + steps[Qt.Key(event.key())], 0), len(self._rows) - 1))
        elif event.matches(QKeySequence.StandardKey.Delete) and self._rows:
            self.removed.emit(self._index)
        else:
            super().keyPressEvent(event)

    def _choose(self, index: int) -> None:
        if index != self._index:
            self._index = index
            self.setAccessibleDescription(self._rows[index].text())
            rect, bar = self.rect_of(index), self.verticalScrollBar()
            if rect.top() < 0:
                bar.setValue(bar.value() + round(rect.top()))
            elif rect.bottom() > self.viewport().height():
                bar.setValue(bar.value() + round(rect.bottom() - self.viewport().height()))
            self.viewport().update()
            self.chosen.emit(index)

    def tooltip_at(self, point: QPointF) -> str:
        index = self._at(point)
        return "" if index is None else self._rows[index].text()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(event.rect(), theme().color("panel"))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._names_width = self._width_of_names()
            for index in range(len(self._rows)):
                rect = self.rect_of(index)
                if rect.bottom() > 0 and rect.top() < self.viewport().height():
                    self._paint_row(painter, index, rect)
        finally:
            painter.end()

    def _width_of_names(self) -> float:
        """What the names of all rows need with their scores, in one column."""
        fonts = text_metrics(theme().font("strong")), text_metrics(theme().font("help"))
        widths = [
            fonts[number > 0].width(_marked(row, number))
            for row in self._rows
            for number in range(len(row.lines))
        ]
        return min(max(widths, default=0) + 2, _MOST_NAME) + _BESIDE_NAME + self._score_width()

    def _score_width(self) -> float:
        return text_metrics(theme().monospace()).width("100.0%")

    def _paint_row(self, painter: QPainter, index: int, rect: QRectF) -> None:
        style, row = theme(), self._rows[index]
        if index == self._index:
            painter.fillRect(rect, style.color("selection"))
            if self.hasFocus():
                paint_focus(painter, rect.adjusted(2, 2, -2, -3))
        side = self._image_side
        image_area = QRectF(rect.left() + _MARGIN, rect.top() + 6, side, side)
        paint_image(painter, image_area, self._pixmaps[index])
        small = text_metrics(style.font("help"))
        painter.setFont(small.font)
        painter.setPen(style.color("secondary"))
        caption = plain_line(row.actual or row.name, _MAX_NAME)
        room = int((rect.bottom() - image_area.bottom() - 4) // _CAPTION_LINE)
        for number, text in enumerate(small.wrapped(caption, side + 12, min(max(room, 1), 3))):
            middle = image_area.bottom() + 10 + number * _CAPTION_LINE
            painter.drawText(QPointF(image_area.left(), small.baseline(middle)), text)
        inner = rect.adjusted(_MARGIN + side + 20, 8, -_MARGIN, -8)
        most = max(inner.width() / 2, inner.width() - 12 - _LEAST_CHART)
        names = min(max(self._names_width, 120.0), most)
        chart = QRectF(inner.left(), inner.top(), max(inner.width() - names - 12, 30.0), inner.height())
        self._paint_chart(painter, row, chart)
        self._paint_names(painter, row, QRectF(chart.right() + 12, inner.top(), names, inner.height()))
        painter.setPen(style.color("grid"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())

    def _paint_chart(self, painter: QPainter, row: ScoreRow, chart: QRectF) -> None:
        style = theme()
        painter.setPen(style.color("border"))
        for share in (0.0, 0.5, 1.0):
            y = chart.bottom() - share * chart.height()
            painter.drawLine(QPointF(chart.left(), y), QPointF(chart.right(), y))
        first, last = self._range

        def point(epoch: int, score: float) -> QPointF:
            x = chart.left() + (epoch - first) / (last - first) * chart.width()
            return QPointF(x, chart.bottom() - min(max(score, 0.0), 1.0) * chart.height())

        cursor = point(row.epochs[row.at], 0.0).x()
        painter.setPen(QPen(style.color("accent"), 1))
        painter.drawLine(QPointF(cursor, chart.top()), QPointF(cursor, chart.bottom()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line in reversed(row.lines):
            points = [
                point(epoch, float(score)) for epoch, score in zip(row.epochs, line.scores, strict=True)
            ]
            painter.setPen(QPen(style.color(line.token), 2))
            painter.drawPolyline(QPolygonF(points))
            if len(points) <= 24:
                painter.save()
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(style.color(line.token))
                for each in points:
                    painter.drawEllipse(each, 2.5, 2.5)
                painter.restore()

    def _paint_names(self, painter: QPainter, row: ScoreRow, area: QRectF) -> None:
        """The scores at the cursor: the class with its mark of color, and its number."""
        style = theme()
        mono = text_metrics(style.monospace())
        pitch = min(area.height() / max(len(row.lines), 1), 22.0)
        top = area.top() + (area.height() - pitch * len(row.lines)) / 2
        for number, line in enumerate(row.lines):
            middle = top + (number + 0.5) * pitch
            font = text_metrics(style.font("strong" if number == 0 else "help"))
            score = format_percent(float(line.scores[row.at]))
            painter.fillRect(QRectF(area.left(), middle - 1.5, 10, 3), style.color(line.token))
            painter.setFont(font.font)
            painter.setPen(style.color("text"))
            space = int(area.width() - _BESIDE_NAME - self._score_width())
            name = font.elided(_marked(row, number), space)
            painter.drawText(QPointF(area.left() + 16, font.baseline(middle)), name)
            painter.setFont(mono.font)
            painter.drawText(QPointF(area.right() - mono.width(score), mono.baseline(middle)), score)

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()
