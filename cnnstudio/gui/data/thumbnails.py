"""The images of a data set as rows of thumbnails, one row for each class, or those of one class alone."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea

from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.data.dataset import Split
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

SIDE, _GAP, _ROW = 40, 4, 46
_LEFT, _NAMES = 16, 112
_MAX_CACHE = 4_000
"""Thumbnails that are kept, at most 40 × 40 pixels each."""


class Thumbnails(QAbstractScrollArea):
    """Paints only what is visible, so that a million images cost no more than a few."""

    chosen = Signal(object)
    """The row number of the chosen image within the split."""
    class_chosen = Signal(object)
    """The index of the class that is shown alone now, or None for all."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("thumbnails")
        self.setAccessibleName("Images by class")
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self._split: Split | None = None
        self._classes: tuple[str, ...] = ()
        self._rows: list[np.ndarray] = []
        """The row numbers of the images of each class."""
        self._alone: int | None = None
        self._current: tuple[int, int] | None = None
        """The chosen image: class, and place among its images."""
        self._pixmaps: OrderedDict[int, QPixmap] = OrderedDict()
        self._hint = ""
        theme().changed.connect(self._on_theme_changed)

    # What is shown

    def show_images(self, split: Split, classes: tuple[str, ...]) -> None:
        """Shows the images of a split, of which each has one of these classes."""
        self._split, self._classes, self._hint = split, classes, ""
        order = np.argsort(split.labels, kind="stable")
        bounds = np.searchsorted(split.labels[order], np.arange(len(classes) + 1))
        self._rows = [order[bounds[n] : bounds[n + 1]] for n in range(len(classes))]
        self._pixmaps.clear()
        self._alone, self._current = None, None
        self._layout()

    def show_hint(self, hint: str) -> None:
        """Shows a sentence, and gray places where images will be."""
        self._split, self._rows, self._current, self._alone = None, [], None, None
        self._hint = hint
        self.setAccessibleDescription(hint)
        self._layout()

    def show_class(self, index: int | None) -> None:
        """Shows the images of one class alone, or all classes for None."""
        if index != self._alone:
            self._alone = index
            self._current = None
            self.verticalScrollBar().setValue(0)
            self._layout()
            self.class_chosen.emit(index)

    @property
    def counts(self) -> list[int]:
        """The number of images of each class."""
        return [len(rows) for rows in self._rows]

    # Places

    @property
    def _columns(self) -> int:
        left = _LEFT if self._alone is not None else _LEFT + _NAMES
        return max((self.viewport().width() - left - _LEFT + _GAP) // (SIDE + _GAP), 1)

    def _layout(self) -> None:
        if self._alone is None:
            height = len(self._rows) * _ROW
        else:
            height = -(-len(self._rows[self._alone]) // self._columns) * (SIDE + _GAP)
        height += 12
        bar = self.verticalScrollBar()
        bar.setRange(0, max(height - self.viewport().height(), 0))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(_ROW)
        if self._rows:
            self.setAccessibleDescription(pluralize(sum(self.counts), "image"))
        self.viewport().update()

    def _rect(self, kind: int, place: int) -> QRect:
        """Where an image is, in the viewport."""
        top = 6 - self.verticalScrollBar().value()
        if self._alone is None:
            return QRect(_LEFT + _NAMES + place * (SIDE + _GAP), top + kind * _ROW, SIDE, SIDE)
        row, column = divmod(place, self._columns)
        return QRect(_LEFT + column * (SIDE + _GAP), top + row * (SIDE + _GAP), SIDE, SIDE)

    def _visible(self) -> list[tuple[int, int]]:
        """Class and place of every image that is at least partly visible."""
        if self._alone is not None:
            size, columns = SIDE + _GAP, self._columns
            first = max((self.verticalScrollBar().value() - 6) // size, 0) * columns
            count = (self.viewport().height() // size + 2) * columns
            last = min(first + count, len(self._rows[self._alone]))
            return [(self._alone, place) for place in range(first, last)]
        return [
            (kind, place)
            for kind in self._visible_classes()
            for place in range(min(self._columns, len(self._rows[kind])))
        ]

    def _visible_classes(self) -> range:
        first = max((self.verticalScrollBar().value() - 6) // _ROW, 0)
        return range(first, min(first + self.viewport().height() // _ROW + 2, len(self._rows)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._layout()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._split is None:
            return
        position = event.position().toPoint()
        kind = self._class_at(position)
        if kind is not None:
            self.show_class(kind)
            return
        found = next((each for each in self._visible() if self._rect(*each).contains(position)), None)
        if found is not None:
            self._choose(found)

    def _class_at(self, position: QPoint) -> int | None:
        """The class whose name is at this place."""
        if self._alone is not None or not _LEFT <= position.x() < _LEFT + _NAMES - _GAP:
            return None
        kind = (position.y() - 6 + self.verticalScrollBar().value()) // _ROW
        return kind if 0 <= kind < len(self._rows) else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        is_name = self._class_at(event.position().toPoint()) is not None
        self.viewport().setCursor(
            Qt.CursorShape.PointingHandCursor if is_name else Qt.CursorShape.ArrowCursor
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape and self._alone is not None:
            self.show_class(None)
        elif (
            key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._alone is None and self._current is not None
        ):
            self.show_class(self._current[0])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down) and self._rows:
            self._move(Qt.Key(key))
        else:
            super().keyPressEvent(event)

    def _move(self, key: Qt.Key) -> None:
        if self._current is None:
            kind = self._alone or 0
            target = (kind, 0)
        else:
            kind, place = self._current
            across = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(key, 0)
            down = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key, 0)
            if self._alone is None:
                target = (kind + down, place + across)
            else:
                target = (kind, place + across + down * self._columns)
        kind, place = target
        shown = self._columns if self._alone is None else None
        if 0 <= kind < len(self._rows) and 0 <= place < len(self._rows[kind][:shown]):
            self._choose((kind, place))

    def _choose(self, image: tuple[int, int]) -> None:
        self._current = image
        rect, bar = self._rect(*image), self.verticalScrollBar()
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top() - 6)
        elif rect.bottom() > self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() - self.viewport().height() + 6)
        self.viewport().update()
        kind, place = image
        self.setAccessibleDescription(f"{plain_line(self._classes[kind])}, image {place + 1}")
        self.chosen.emit(int(self._rows[kind][place]))

    # Drawing

    def _pixmap(self, row: int) -> QPixmap:
        found = self._pixmaps.get(row)
        if found is None:
            assert self._split is not None
            image = to_qimage(np.asarray(self._split.images[row]))
            size = round(SIDE * self.devicePixelRatioF())
            found = QPixmap.fromImage(
                image.scaled(
                    *(size, size),
                    Qt.AspectRatioMode.KeepAspectRatioByExpanding,
                    Qt.TransformationMode.SmoothTransformation,
                )
            )
            self._pixmaps[row] = found
            while len(self._pixmaps) > _MAX_CACHE:
                self._pixmaps.popitem(last=False)
        return found

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._split is None:
            self._paint_empty(painter)
        else:
            for kind, place in self._visible():
                rect = self._rect(kind, place)
                painter.drawPixmap(rect, self._pixmap(int(self._rows[kind][place])))
                if (kind, place) == self._current:
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.setPen(QPen(theme().color("accent"), 2))
                    painter.drawRoundedRect(QRectF(rect).adjusted(-2, -2, 2, 2), 3, 3)
            if self._alone is None:
                self._paint_names(painter)
        painter.end()

    def _paint_names(self, painter: QPainter) -> None:
        content, small = text_metrics(theme().font("content")), text_metrics(theme().font("axis"))
        for kind in self._visible_classes():
            top = self._rect(kind, 0).top()
            painter.setFont(content.font)
            painter.setPen(theme().color("text"))
            name = content.elided(plain_line(self._classes[kind]), _NAMES - 12)
            painter.drawText(_LEFT, content.baseline(top + 12), name)
            painter.setFont(small.font)
            painter.setPen(theme().color("secondary"))
            painter.drawText(_LEFT, small.baseline(top + 30), format_count(len(self._rows[kind])))

    def _paint_empty(self, painter: QPainter) -> None:
        """Gray tiles of the final size, and the hint."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("grid"))
        for row in range((self.viewport().height() - 6) // _ROW):
            for column in range(self._columns):
                left = _LEFT + _NAMES + column * (SIDE + _GAP)
                painter.drawRoundedRect(QRectF(left, 6 + row * _ROW, SIDE, SIDE), 3, 3)
        metrics = text_metrics(theme().font("content"))
        width = metrics.width(self._hint) + 32
        box = QRectF((self.viewport().width() - width) / 2, self.viewport().height() / 2 - 20, width, 40)
        painter.setBrush(theme().color("panel"))
        painter.drawRoundedRect(box, 8, 8)
        painter.setFont(metrics.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._hint)

    def sizeHint(self) -> QSize:
        return QSize(600, 480)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()
