"""The kernels of a layer as small images, with a bar below each for its norm or its change."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import diverging
from cnnstudio.gui.widgets.canvas.keys import grid_step, is_plain
from cnnstudio.gui.widgets.canvas.marks import paint_choice, paint_focus
from cnnstudio.gui.widgets.canvas.zoomed_grid import ZoomedGrid
from cnnstudio.gui.widgets.qimage import color_image, to_qimage

_GAP, _BAR, _MARGIN = 8, 4, 4
_SMALLEST, _LARGEST = 20, 200
_SMALLEST_FIT, _LARGEST_FIT = 32, 96
"""Without zoom, kernels are as large as they all fit into the view, within these limits."""


class KernelGrid(ZoomedGrid):
    """Chooses a kernel by mouse or arrow keys; Escape chooses none. Ctrl + wheel, + and − zoom."""

    chosen = Signal(object)
    """The index of the kernel that the user chose, or None."""

    def __init__(self, object_name: str, name: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setAccessibleName(name)
        self._levels = np.empty((0, 1, 1), np.uint8)
        self._bars = np.empty(0)
        self._texts: tuple[str, ...] = ()
        self._images: dict[int, QImage] = {}
        self._fitting_side = float(_SMALLEST_FIT)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(380, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 60)

    # What is shown

    def show_kernels(
        self, levels: np.ndarray, order: np.ndarray, bars: np.ndarray, texts: tuple[str, ...]
    ) -> None:
        """Shows kernels.

        `levels` is uint8 (N, h, w) with 128 for 0, or (N, h, w, 3) in color; `order` is intp (N,); `bars` are
        the lengths of the bars, float (N,), from 0 to 1, or empty; `texts` are the tooltips.
        """
        self._levels, self._order, self._bars, self._texts = levels, order, bars, texts
        self._images = {}
        if self._index is not None and self._index >= len(levels):
            self._index = None
        self._describe()
        self._arrange()

    def choose(self, index: int | None) -> None:
        """Marks a kernel without telling anybody."""
        shown = index if index is not None and index < len(self._levels) else None
        if shown != self._index:
            self._index = shown
            self._describe()
            self.viewport().update()

    def _choose(self, index: int | None) -> None:
        self.choose(index)
        if index is not None:
            self._scroll_to(index)
        self.chosen.emit(index)

    def _describe(self) -> None:
        text = f"{len(self._levels)} kernels" if self._index is None else self._texts[self._index]
        self.setAccessibleDescription(text)

    def _zoom_to(self, zoom: float) -> None:
        side = min(max(self._fitting_side * zoom, float(_SMALLEST)), float(_LARGEST))
        self._zoom = side / self._fitting_side
        self._arrange()

    # Layout

    def _cell_size(self) -> tuple[float, float]:
        """Width and height of a kernel: whole multiples of its own size, where they are not too small."""
        return self._size_of(self._fitting_side * self._zoom)

    def _size_of(self, side: float) -> tuple[float, float]:
        height, width = self._levels.shape[1:3]
        scale = side / max(height, width)
        if scale >= 2:
            scale = float(round(scale))
        return width * scale, height * scale

    @property
    def _bar_space(self) -> int:
        return _BAR + 3 if len(self._bars) else 0

    def _columns(self, width: float | None = None) -> int:
        width = self._cell_size()[0] if width is None else width
        return max(int((self.viewport().width() - 2 * _MARGIN + _GAP) // (width + _GAP)), 1)

    def _fit(self) -> float:
        """The largest side with which all kernels fit into the view."""
        for side in range(_LARGEST_FIT, _SMALLEST_FIT, -2):
            width, height = self._size_of(float(side))
            rows = math.ceil(len(self._order) / self._columns(width))
            if rows * (height + self._bar_space + _GAP) + 2 * _MARGIN <= self.maximumViewportSize().height():
                return float(side)
        return float(_SMALLEST_FIT)

    def _row_height(self) -> float:
        return self._cell_size()[1] + self._bar_space + _GAP

    def _arrange(self) -> None:
        self._fitting_side = self._fit()
        rows = math.ceil(len(self._order) / self._columns()) if len(self._order) else 0
        height = rows * self._row_height() + 2 * _MARGIN
        bar = self.verticalScrollBar()
        bar.setRange(0, max(math.ceil(height) - self.viewport().height(), 0))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(round(self._row_height()))
        self.viewport().update()

    def _rect(self, place: int) -> QRectF:
        """Where the kernel at a place of the order is drawn, in the viewport."""
        width, height = self._cell_size()
        row, column = divmod(place, self._columns())
        top = _MARGIN + row * self._row_height() - self.verticalScrollBar().value()
        return QRectF(_MARGIN + column * (width + _GAP), top, width, height)

    def center_of(self, index: int) -> QPointF:
        """The middle of a kernel in the viewport, for a click."""
        return self._rect(self.order.index(index)).center()

    def _at(self, point: QPointF) -> int | None:
        width, _ = self._cell_size()
        column = int((point.x() - _MARGIN) // (width + _GAP))
        row = int((point.y() - _MARGIN + self.verticalScrollBar().value()) // self._row_height())
        place = row * self._columns() + column
        if not (0 <= column < self._columns() and 0 <= place < len(self._order)):
            return None
        grown = self._rect(place).adjusted(0, 0, 0, self._bar_space)
        return int(self._order[place]) if grown.contains(point) else None

    def _scroll_to(self, index: int) -> None:
        rect, bar = self._rect(self.order.index(index)), self.verticalScrollBar()
        if rect.top() < _MARGIN:
            bar.setValue(bar.value() + math.floor(rect.top()) - _MARGIN)
        elif rect.bottom() + self._bar_space + _MARGIN > self.viewport().height():
            over = rect.bottom() + self._bar_space + _MARGIN - self.viewport().height()
            bar.setValue(bar.value() + math.ceil(over))

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            index = self._at(event.position())
            self._choose(None if index == self._index else index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = grid_step(event, self._columns())
        if step is not None and len(self._order) and is_plain(event):
            self._go(step)
        elif event.key() == Qt.Key.Key_Escape and self._index is not None:
            self._choose(None)
        elif not self._zoom_by_key(event):
            super().keyPressEvent(event)

    def describe(self, index: int) -> str:
        return self._texts[index]

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            style, height = theme(), self.viewport().height()
            painter.fillRect(event.rect(), style.color("panel"))
            first = max(int(self.verticalScrollBar().value() // self._row_height()) * self._columns(), 0)
            for place in range(first, len(self._order)):
                rect = self._rect(place)
                if rect.top() > height:
                    break
                self._paint_kernel(painter, int(self._order[place]), rect)
            if self.hasFocus() and self._index is None:
                paint_focus(painter, QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1))
        finally:
            painter.end()

    def _paint_kernel(self, painter: QPainter, index: int, rect: QRectF) -> None:
        style = theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.drawImage(rect, self._image(index))
        painter.setPen(style.color("border"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(-1, -1, 0, 0))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self._bars):
            track = QRectF(rect.left(), rect.bottom() + 3, rect.width(), _BAR)
            painter.fillRect(track, style.color("grid"))
            width = max(track.width() * min(max(float(self._bars[index]), 0.0), 1.0), 1.0)
            painter.fillRect(QRectF(track.left(), track.top(), width, _BAR), style.color("convolution"))
        if index == self._index:
            paint_choice(painter, rect.adjusted(-2, -2, 2, 2))

    def _image(self, index: int) -> QImage:
        if index not in self._images:
            self._images[index] = kernel_image(self._levels[index])
        return self._images[index]

    def _on_theme_changed(self, _: object) -> None:
        self._images = {}
        self.viewport().update()


def kernel_image(levels: np.ndarray) -> QImage:
    """A kernel as an image: uint8 (h, w), 128 for 0, orange below and blue above; or (h, w, 3) in color."""
    if levels.ndim == 3:
        return to_qimage(levels.transpose(2, 0, 1))
    colors = diverging()
    return color_image(colors[np.clip(levels.astype(np.intp) - 1, 0, len(colors) - 1)])
