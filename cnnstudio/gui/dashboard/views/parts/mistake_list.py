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
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPixmap

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
_NAME_SHARE = 0.6
"""Of the width that a name and its bar have, at least."""
_LEAST_BAR = 24
"""What a longer name leaves to its bar, in pixels."""
NEAREST = 3
_WITH_NEAREST = 500
"""The width of a row that has room for the similar images."""


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
    nearest: tuple[tuple[np.ndarray, str], ...] = ()
    """The most similar training images, uint8 (C, h, w), with their classes."""
    similar: str = ""
    """Their classes in words: `all three: deer`."""
    nearest_rows: tuple[int, ...] = ()
    """Their numbers among the training images."""

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
        similar = f"; nearest training images: {plain_line(self.similar, _MAX_NAME)}" if self.similar else ""
        return f"Image {self.index + 1}: {', '.join(parts)}{similar}"


class _Delegate(RowsDelegate[MistakeRow]):
    height = ROW_HEIGHT
    awaited = ""
    """What stands in the place of similar images that are not known yet; empty where none are awaited."""

    _measured: tuple[object, float] = (None, 0.0)
    """The rows whose names were measured, and the width of the longest."""

    def _longest_name(self) -> float:
        """What the names of all rows need: the bars stand below each other."""
        rows = self._model.rows
        if self._measured[0] is not rows:
            metrics = text_metrics(theme().font("strong"))
            names = {plain_line(name, _MAX_NAME) for row in rows for _, name, _, _ in row.lines()}
            self._measured = rows, max(map(metrics.width, names), default=0) + 9.0
        return self._measured[1]

    def paint_row(self, painter: QPainter, row: MistakeRow, rect: QRectF) -> None:
        style = theme()
        area = QRectF(rect.left() + _MARGIN, rect.top() + 6, _IMAGE, _IMAGE)
        paint_image(painter, area, self.pixmap(row.key, row.image))
        small = text_metrics(theme().font("help"))
        painter.setFont(small.font)
        painter.setPen(style.color("secondary"))
        caption = small.elided(f"{row.index + 1}", _IMAGE)
        painter.drawText(QPointF(area.left(), small.baseline(area.bottom() + 10)), caption)
        lines = rect.adjusted(_MARGIN + _IMAGE + 16, 0, -_MARGIN, 0)
        if has_room_for_nearest(rect.width()):
            lines.setRight(nearest_area(rect, 0).left() - 16)
            self._paint_nearest(painter, row, rect)
        self._paint_lines(painter, row, lines)
        painter.setPen(style.color("grid"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())

    def _paint_nearest(self, painter: QPainter, row: MistakeRow, rect: QRectF) -> None:
        """The three most similar training images, and their classes in words below them."""
        for place, (image, _) in enumerate(row.nearest[:NEAREST]):
            key = (*row.nearest_rows[place : place + 1], image.tobytes())
            paint_image(painter, nearest_area(rect, place), self.pixmap(key, image))
        is_awaited = bool(self.awaited) and not row.nearest
        for place in range(NEAREST if is_awaited else 0):
            paint_image(painter, nearest_area(rect, place), QPixmap())
        small = text_metrics(theme().font("help"))
        painter.setFont(small.font)
        painter.setPen(theme().color("secondary"))
        first, last = nearest_area(rect, 0), nearest_area(rect, NEAREST - 1)
        similar = self.awaited if is_awaited else plain_line(row.similar, _MAX_NAME)
        text = small.elided(similar, int(last.right() - first.left()))
        painter.drawText(QPointF(first.left(), small.baseline(first.bottom() + 10)), text)

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
        name_width = min(max(free * _NAME_SHARE, 60.0, min(self._longest_name(), free - _LEAST_BAR)), 220.0)
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


def has_room_for_nearest(width: float) -> bool:
    """Whether a row is wide enough for the similar images beside the bars."""
    return width >= _WITH_NEAREST


def nearest_area(rect: QRectF, place: int) -> QRectF:
    """Where a similar image is in a row, the most similar first."""
    left = rect.right() - _MARGIN - (NEAREST - place) * (_IMAGE + 6) + 6
    return QRectF(left, rect.top() + 6, _IMAGE, _IMAGE)


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
    nearest_opened = Signal(object)
    """(MistakeRow, place) of a similar image that the user clicks."""

    def __init__(self) -> None:
        super().__init__("mistakeList", "Images")
        self._delegate = _Delegate(self, self._model)
        self.setItemDelegate(self._delegate)
        self.verticalScrollBar().setSingleStep(ROW_HEIGHT // 3)
        self.clicked.connect(lambda _: self._on_current())
        self.setMouseTracking(True)

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
    def awaited(self) -> str:
        """What stands in the places of similar images that are not known yet, `Comparing… 40%`."""
        return self._delegate.awaited

    def show_awaited(self, text: str) -> None:
        """Shows that the similar images are awaited; empty if they are not."""
        if text != self._delegate.awaited:
            self._delegate.awaited = text
            self.viewport().update()

    @property
    def current(self) -> MistakeRow | None:
        """The chosen row."""
        return self.current_row

    def center_of(self, row: int) -> QPoint:
        """The middle of a row in the viewport, for a click."""
        return self.visualRect(self._model.index(row)).center()

    def nearest_at(self, position: QPoint) -> tuple[MistakeRow, int] | None:
        """The row, and the place of its similar image, at a point of the viewport."""
        index = self.indexAt(position)
        if not index.isValid():
            return None
        rect, row = QRectF(self.visualRect(index)), self._model.rows[index.row()]
        if not has_room_for_nearest(rect.width()):
            return None
        places = range(min(len(row.nearest), NEAREST))
        point = QPointF(position)
        place = next((each for each in places if nearest_area(rect, each).contains(point)), None)
        return None if place is None else (row, place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_over = self.nearest_at(event.position().toPoint()) is not None
        self.viewport().setCursor(
            Qt.CursorShape.PointingHandCursor if is_over else Qt.CursorShape.ArrowCursor
        )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        found = self.nearest_at(event.position().toPoint())
        if found is not None and event.button() is Qt.MouseButton.LeftButton:
            self.nearest_opened.emit(found)

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
        if event.key() == Qt.Key.Key_N and self.current is not None and self.current.nearest:
            self.nearest_opened.emit((self.current, 0))
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if self.currentIndex().row() != before:
            self._on_current()

    def _on_current(self) -> None:
        if self.current is not None:
            self.chosen.emit(self.current)
