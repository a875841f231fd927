"""A grid of small images, one of which can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import grid_step, is_enter, is_plain
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

_SIDE, _GAP, _MARGIN = 48, 7, 3
INDENT = 7
"""What is left free at the left, as much as lists leave beside their texts."""


class ImageGrid(Canvas):
    """Shows as many images as fit; arrow keys choose one, Enter opens it, Escape leaves the grid."""

    chosen = Signal(object)
    """The index of the image that the user chose."""
    activated = Signal(object)
    """The index of the image that was double-clicked, or on which Enter was pressed."""
    left = Signal()
    """Escape was pressed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._pixmaps: list[QPixmap] = []
        self._captions: tuple[str, ...] = ()
        self.index = -1
        """The chosen image, or -1."""
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(400, 2 * (_SIDE + _GAP) - _GAP + 2 * _MARGIN)

    def minimumSizeHint(self) -> QSize:
        return QSize(_SIDE + 2 * _MARGIN, self.sizeHint().height())

    def show_images(self, images: np.ndarray, captions: Sequence[str]) -> None:
        """Shows images, uint8 (N, C, H, W), with a tooltip for each."""
        self._pixmaps = [QPixmap.fromImage(to_qimage(image)) for image in images]
        self._captions = tuple(captions)
        self.index = min(self.index, len(self._pixmaps) - 1)
        self._describe()
        self.update()

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self._pixmaps)

    def choose(self, index: int) -> None:
        """Marks an image without telling anybody; -1 for none."""
        if index != self.index:
            self.index = index
            self._describe()
            self.update()

    def _describe(self) -> None:
        is_chosen = 0 <= self.index < len(self._captions)
        count = f"{len(self._pixmaps)} images"
        self.setAccessibleDescription(plain_line(self._captions[self.index]) if is_chosen else count)

    def _choose(self, index: int) -> None:
        self.choose(index)
        self.chosen.emit(index)

    @property
    def _columns(self) -> int:
        return max((self.width() - INDENT - _MARGIN + _GAP) // (_SIDE + _GAP), 1)

    @property
    def shown(self) -> int:
        """How many of the images fit."""
        rows = max((self.height() - 2 * _MARGIN + _GAP) // (_SIDE + _GAP), 1)
        return min(len(self._pixmaps), rows * self._columns)

    def rect_of(self, index: int) -> QRectF:
        """Where an image is, in the widget."""
        row, column = divmod(index, self._columns)
        return QRectF(INDENT + column * (_SIDE + _GAP), _MARGIN + row * (_SIDE + _GAP), _SIDE, _SIDE)

    def _at(self, point: QPointF) -> int:
        return next((index for index in range(self.shown) if self.rect_of(index).contains(point)), -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._choose(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self.activated.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = grid_step(event, self._columns)
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif is_enter(event) and 0 <= self.index < self.shown:
            self.activated.emit(self.index)
        elif step is not None and self.shown and is_plain(event):
            target = self.index + step if self.index >= 0 else 0
            if 0 <= target < self.shown:
                self._choose(target)
        else:
            super().keyPressEvent(event)

    def tooltip_at(self, point: QPointF) -> str:
        index = self._at(point)
        return self._captions[index] if 0 <= index < len(self._captions) else ""

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for index in range(self.shown):
            area = self.rect_of(index)
            paint_image(painter, area, self._pixmaps[index])
            if index == self.index:
                painter.setPen(QPen(style.color("accent"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(area.adjusted(-2, -2, 2, 2))
        if self.hasFocus() and self.index < 0:
            painter.setPen(QPen(style.color("accent"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.end()
