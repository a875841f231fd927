"""Draws a confusion matrix: cells with numbers, or one image where they are too small for that."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QImage, QPainter

from cnnstudio.gui.dashboard.views.parts.matrix.content import Cell, MatrixContent
from cnnstudio.gui.dashboard.views.parts.matrix.layout import (
    HEAD,
    SCORE_WIDTH,
    SECOND_HEAD,
    MatrixLayout,
)
from cnnstudio.gui.theme.text_metrics import TextMetrics, text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import ramp, tint
from cnnstudio.gui.widgets.canvas.marks import paint_choice
from cnnstudio.gui.widgets.qimage import color_image

_SMALLEST_NUMBERED = (26, 16)
"""Cells of this size in pixels have numbers."""
_MEASURED = 200
"""Of so many names the longest decides how wide the labels are."""
_SMALLEST_CHOICE = 8
_NAME_GAP = 4
"""Pixels between the names of columns."""


class MatrixPainter:
    """Draws what it was given last; the image of a large matrix is kept."""

    def __init__(self, layout: MatrixLayout) -> None:
        self._layout = layout
        self._content: MatrixContent | None = None
        self._order: tuple[int, ...] = ()
        self.cell: Cell | None = None
        """The chosen cell."""
        self.as_shares = False
        self._image: QImage | None = None
        self._block = 1
        """So many cells a side are one pixel of the image."""

    def show(self, content: MatrixContent, order: tuple[int, ...]) -> None:
        """Draws another content from now on."""
        self._content, self._order, self._image = content, order, None

    def restyle(self) -> None:
        """Takes the colors anew."""
        self._image = None

    def text(self, cell: Cell) -> str:
        """What stands in a cell."""
        assert self._content is not None
        return self._content.text(cell, as_share=self.as_shares)

    def longest_name(self) -> int:
        """The width that the names of rows need."""
        metrics, content = _font("help"), self._content
        names = () if content is None else content.shown_names[:_MEASURED]
        return max(max(map(metrics.width, names), default=0) + 6, metrics.width("precision"))

    def wants_two_heads(self) -> bool:
        """Whether the names of columns are wider than cells, of which all have a name."""
        content, layout = self._content, self._layout
        if content is None or layout.is_large:
            return False
        plain, bold = (
            max(map(_font(font).width, content.shown_names), default=0) for font in ("help", "bold")
        )
        return plain > layout.pitch()[0] - _NAME_GAP or bold > layout.pitch()[0]

    def paint(self, painter: QPainter) -> None:
        """Draws the whole matrix."""
        content, layout = self._content, self._layout
        if content is None or not self._order:
            return
        across, down = layout.pitch()
        has_numbers = across >= _SMALLEST_NUMBERED[0] and down >= _SMALLEST_NUMBERED[1]
        painter.save()
        painter.setClipRect(layout.area().adjusted(-3, -3, 3, 3))
        if has_numbers:
            self._paint_cells(painter, content)
        else:
            self._paint_image(painter, content)
        self._paint_chosen(painter)
        painter.restore()
        if layout.has_names:
            self._paint_rows(painter, content)
        if across >= _SMALLEST_NUMBERED[0]:
            self._paint_columns(painter, content)
        else:
            self._paint_axes(painter)

    # Cells

    def _paint_cells(self, painter: QPainter, content: MatrixContent) -> None:
        largest, columns, rect_of = content.largest, self._layout.visible_columns(), self._layout.rects()
        strong, faint = theme().color("text"), theme().color("secondary")
        plain, bold = _font("mono"), _font("mono_bold")
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row in self._layout.visible_rows():
            for column in columns:
                cell = self._order[row], self._order[column]
                count, rect, is_wrong = int(content.counts[cell]), rect_of(row, column), row != column
                if count:
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(tint("validation" if is_wrong else "good", count / largest[is_wrong]))
                    painter.drawRoundedRect(rect, 3, 3)
                text = self.text(cell)
                font = bold if cell == self.cell else plain
                painter.setFont(font.font)
                painter.setPen(strong if count else faint)
                x = rect.center().x() - font.width(text) / 2
                painter.drawText(QPointF(x, font.baseline(rect.center().y())), text)

    def _paint_image(self, painter: QPainter, content: MatrixContent) -> None:
        """All cells as one image. Of cells smaller than a pixel the strongest is shown."""
        area, (across, down), (left, top) = self._layout.area(), self._layout.pitch(), self._layout.start
        block = max(math.ceil(1 / max(across, 1e-6)), 1)
        if self._image is None or block != self._block:
            self._image, self._block = _colored(content, self._order, block), block
        side = self._image.width() * block
        target = QRectF(area.left() - left * across, area.top() - top * down, side * across, side * down)
        painter.drawImage(target, self._image)
        painter.setPen(theme().color("border"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(0, 0, -1, -1))

    def _paint_chosen(self, painter: QPainter) -> None:
        if self.cell is None:
            return
        rect = self._layout.rect(*(self._order.index(each) for each in self.cell))
        # A cell of a few pixels would vanish in its own frame.
        grow = max((_SMALLEST_CHOICE - rect.width()) / 2, 0)
        paint_choice(painter, rect.adjusted(-grow, -grow, grow, grow))

    # Names and scores

    def _paint_rows(self, painter: QPainter, content: MatrixContent) -> None:
        """The names of the actual classes, and their recalls."""
        area, right = self._layout.area(), self._score_right()
        seen, rect_of, scores = area.adjusted(0, -8, 0, 8), self._layout.rects(), _font("mono")
        for row in self._layout.visible_rows():
            index, middle = self._order[row], rect_of(row, 0).center().y()
            if seen.contains(area.center().x(), middle):
                bold = self.cell is not None and self.cell[0] == index
                name = _font("bold" if bold else "help")
                _draw_right(painter, name, content.shown_names[index], self._layout.labels, middle, "text")
                _draw_right(painter, scores, _percent(content.recall[index], 1), right, middle)
        _draw_right(painter, _font("help"), "recall", right, self._layout.head - HEAD / 2)

    def _score_right(self) -> int:
        return int(min(self._layout.area().right() + SCORE_WIDTH, self._layout.width))

    def _paint_columns(self, painter: QPainter, content: MatrixContent) -> None:
        """The names of the predicted classes, and their precisions."""
        layout, area = self._layout, self._layout.area()
        rows = 2 if layout.has_two_heads else 1
        width, rect_of, scores = int(rows * layout.pitch()[0]), layout.rects(), _font("mono")
        below = min(area.bottom(), layout.rect(layout.count - 1, 0).bottom()) + HEAD / 2
        for column in layout.visible_columns():
            index, middle = self._order[column], rect_of(0, column).center().x()
            if area.left() <= middle <= area.right():
                bold = self.cell is not None and self.cell[1] == index
                name, token = _font("bold" if bold else "help"), "text" if bold else "secondary"
                text = name.elided(content.shown_names[index], width)
                above = SECOND_HEAD * (rows - 1 - column % rows)
                _draw_centered(painter, name, text, middle, layout.head - HEAD / 2 - above, token)
                _draw_centered(painter, scores, _percent(content.precision[index], 0), middle, below)
        _draw_right(painter, _font("help"), "precision", layout.labels, below)

    def _paint_axes(self, painter: QPainter) -> None:
        """What rows and columns are, where there is no place for the names of all classes."""
        label, area = _font("help"), self._layout.area()
        painter.setFont(label.font)
        painter.setPen(theme().color("secondary"))
        text = "predicted →" if self._layout.has_names else "actual ↓  predicted →"
        painter.drawText(QPointF(area.left(), label.baseline(area.top() - HEAD / 2)), text)


def _font(name: str) -> TextMetrics:
    """One of help, bold, mono and mono_bold."""
    font = QFont(theme().monospace() if name.startswith("mono") else theme().font("help"))
    if name.endswith("bold"):
        font.setWeight(QFont.Weight.Bold)
    return text_metrics(font)


def _percent(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f}%"


def _draw_right(
    painter: QPainter, font: TextMetrics, text: str, right: int, middle: float, token: str = "secondary"
) -> None:
    """Draws a text that ends at `right`."""
    shown = font.elided(text, right)
    painter.setFont(font.font)
    painter.setPen(theme().color(token))
    painter.drawText(QPointF(right - font.width(shown), font.baseline(middle)), shown)


def _draw_centered(
    painter: QPainter, font: TextMetrics, text: str, x: float, middle: float, token: str = "secondary"
) -> None:
    painter.setFont(font.font)
    painter.setPen(theme().color(token))
    painter.drawText(QPointF(x - font.width(text) / 2, font.baseline(middle)), text)


def _colored(content: MatrixContent, order: tuple[int, ...], block: int) -> QImage:
    """One pixel for each block of cells."""
    diagonal, off_diagonal = content.largest
    places = np.ix_(order, order)
    # The square root: most confusions of many classes are few, and would be invisible.
    right = np.rint(255 * np.sqrt(content.counts.diagonal()[list(order)] / diagonal)).astype(np.uint8)
    mistakes = content.mistakes[places].astype(np.float32)
    wrong = np.sqrt(mistakes * np.float32(255**2 / off_diagonal)).astype(np.uint8)
    padding = -len(order) % block
    size = (len(order) + padding) // block
    wrong = np.pad(wrong, (0, padding)).reshape(size, block, size, block).max(axis=(1, 3))
    right = np.pad(right, (0, padding)).reshape(size, block).max(axis=1)
    pixels = ramp("validation", "panel")[wrong]
    on_diagonal = np.arange(size)
    pixels[on_diagonal, on_diagonal] = np.where(right > 0, ramp("good", "panel")[right], pixels.diagonal())
    return color_image(pixels)
