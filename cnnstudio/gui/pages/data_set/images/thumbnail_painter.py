"""Draws the grid of thumbnails: images, badges, the chosen one, and names of classes."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.data.dataset import Rows, Split
from cnnstudio.gui.pages.data_set.images.tiles import Tiles
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_choice, paint_focus
from cnnstudio.gui.widgets.plain_text import plain_line

SIDES = {"small": 40, "medium": 64, "large": 96}
"""Of a thumbnail, in pixels."""
GAP = 4
"""Between two thumbnails, in pixels; between the rows of two classes a little more."""
LEFT, NAMES, TOP = 16, 112, 6
_NAME_LINES = 2
"""Of a long name of a class: with its count, as high as the smallest thumbnails."""
_BADGE = 15
_HINT_LINE, _HINT_LINES = 18, 4


class Grid(Protocol):
    """What is painted."""

    tiles: Tiles
    split: Split | None
    """None while there are no images, and gray tiles stand for them."""
    classes: tuple[str, ...]
    current: int | None
    """The chosen image, by its row in the split."""
    marked: frozenset[int]
    """The rows of the images with a badge."""
    hint: str

    @property
    def counts(self) -> list[int]: ...

    @property
    def sequence(self) -> Rows | None: ...

    @property
    def columns(self) -> int: ...

    @property
    def side(self) -> int: ...

    @property
    def row_height(self) -> int: ...

    def viewport(self) -> QWidget: ...

    def hasFocus(self) -> bool: ...

    def visible_images(self, area: QRect | None = None) -> list[tuple[QRect, int]]:
        """(place, row) of the images in this area of the viewport."""

    def visible_names(self) -> list[tuple[int, int, int]]:
        """(class, top, number of images) of the rows with a name."""


def paint(grid: Grid, area: QRect) -> None:
    """Paints the part of the grid that is in this area of its viewport."""
    painter = QPainter(grid.viewport())
    if grid.split is None:
        _paint_empty(painter, grid)
    else:
        # Badges and frames stand out of their images a little.
        images = grid.visible_images(area.adjusted(0, -GAP, 0, GAP))
        _paint_images(painter, grid, images)
        if grid.sequence is None:
            _paint_names(painter, grid)
        if not any(grid.counts):
            _paint_hint(painter, grid, "No images")
    if grid.hasFocus() and grid.current is None:
        paint_focus(painter, QRectF(grid.viewport().rect()).adjusted(4, 2, -4, -2))
    painter.end()


def _paint_images(painter: QPainter, grid: Grid, images: list[tuple[QRect, int]]) -> None:
    missing, tile = theme().color("grid"), grid.tiles.tile
    for rect, row in images:
        found = tile(row)
        if found is None:
            painter.fillRect(rect, missing)
        else:
            painter.drawPixmap(rect, *found)
    marked, current = grid.marked, grid.current
    if not marked and current is None:
        return
    for rect, row in images:
        if row in marked:
            _paint_badge(painter, rect.topRight())
        if row == current:
            paint_choice(painter, QRectF(rect).adjusted(-1, -1, 1, 1))


def _paint_badge(painter: QPainter, corner: QPoint) -> None:
    """A violet question mark at the upper right corner."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    circle = QRectF(corner.x() - _BADGE + 4, corner.y() - 4, _BADGE, _BADGE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("regularization"))
    painter.drawEllipse(circle)
    metrics = text_metrics(theme().font("axis"))
    painter.setFont(metrics.font)
    painter.setPen(theme().color("panel"))
    painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), "?")


def _paint_names(painter: QPainter, grid: Grid) -> None:
    content, small = text_metrics(theme().font("content")), text_metrics(theme().font("axis"))
    for kind, top, count in grid.visible_names():
        painter.setFont(content.font)
        painter.setPen(theme().color("text"))
        lines = content.wrapped(plain_line(grid.classes[kind]), NAMES - 12, _NAME_LINES)
        first, pitch = (12, 18) if len(lines) == 1 else (6, 15)
        for number, line in enumerate(lines):
            painter.drawText(LEFT, content.baseline(top + first + number * pitch), line)
        painter.setFont(small.font)
        painter.setPen(theme().color("secondary"))
        middle = top + first + len(lines) * pitch
        painter.drawText(LEFT, small.baseline(middle), format_count(count))


def _paint_empty(painter: QPainter, grid: Grid) -> None:
    """Gray tiles of the final size, and the hint."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("grid"))
    side, pitch = grid.side, grid.row_height
    for line in range((grid.viewport().height() - TOP) // pitch):
        for column in range(grid.columns):
            left = LEFT + NAMES + column * (side + GAP)
            painter.drawRoundedRect(QRectF(left, TOP + line * pitch, side, side), 3, 3)
    _paint_hint(painter, grid, grid.hint)


def _paint_hint(painter: QPainter, grid: Grid, hint: str) -> None:
    if not hint:
        return
    area = grid.viewport().rect()
    metrics = text_metrics(theme().font("content"))
    lines = metrics.wrapped(hint, max(area.width() - 64, 1), _HINT_LINES)
    width, height = max(map(metrics.width, lines)) + 32, len(lines) * _HINT_LINE + 22
    box = QRectF((area.width() - width) / 2, (area.height() - height) / 2, width, height)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("panel"))
    painter.drawRoundedRect(box, 8, 8)
    painter.setFont(metrics.font)
    painter.setPen(theme().color("secondary"))
    for number, line in enumerate(lines):
        middle = box.top() + 11 + (number + 0.5) * _HINT_LINE
        painter.drawText(round((area.width() - metrics.width(line)) / 2), metrics.baseline(middle), line)
