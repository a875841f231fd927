"""Where the cells of a confusion matrix are, and what of it is seen while it is zoomed in."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF

MAX_LABELED = 16
"""With more classes, names and numbers appear only after zooming in."""
HEAD = 22
"""The height of a row of names above, and of the scores below."""
SECOND_HEAD = 15
"""What a second row of names adds."""
SCORE_WIDTH = 56
CELL_HEIGHT, GAP = 28, 2
_SMALLEST_ROW = 14
"""Rows of this height in pixels have names and scores."""
_EDGE = 2
"""Around the cells where nothing else stands beside them, for the mark of the focus."""
_LARGEST_CELL = 76, 44
"""Width and height in a large window."""


class MatrixLayout:
    """`count` rows and as many columns in a widget. Rows and columns are places, not classes."""

    def __init__(self) -> None:
        self.count = 0
        self.labels = 0
        """The width of the names at the left."""
        self.has_two_heads = False
        """Whether every other name stands above the others, because names are wider than cells."""
        self.width = self.height = 0
        """The size of the widget."""
        self.zoom = 1.0
        """1 if the whole matrix is shown, more if it is zoomed in."""
        self._left = self._top = 0.0
        """The place of the top left corner, in cells."""

    @property
    def start(self) -> tuple[float, float]:
        """Column and row, with fractions, at the top left corner."""
        return self._left, self._top

    @property
    def is_large(self) -> bool:
        return self.count > MAX_LABELED

    @property
    def has_names(self) -> bool:
        """Whether there is something beside the rows; if not, the cells get that room as well."""
        return not self.is_large or self.pitch()[1] >= _SMALLEST_ROW

    @property
    def head(self) -> int:
        """The height of the names above."""
        return HEAD + (SECOND_HEAD if self.has_two_heads else 0)

    @property
    def natural_height(self) -> int:
        """The height at which every cell has its full height; of a large matrix, a square one."""
        if not self.count or self.is_large:
            return 340
        return self.head + self.count * (CELL_HEIGHT + GAP) + HEAD

    @property
    def largest_height(self) -> int | None:
        """The height that the cells need if they are as high as they get; None if they fill any."""
        if not self.count or self.is_large:
            return None
        return self.head + self.count * (_LARGEST_CELL[1] + GAP) + HEAD

    def area(self) -> QRectF:
        """The area of the cells."""
        has_names, count = self.has_names, max(self.count, 1)
        left, right = (self.labels + 8, SCORE_WIDTH) if has_names else (_EDGE, _EDGE)
        width = max(self.width - left - right, 10)
        height = max(self.height - self.head - HEAD, 10)
        if self.is_large:
            most = count * self.pitch()[0]
            return QRectF(left, self.head, min(width, most), min(height, most))
        width = min(width, count * _LARGEST_CELL[0])
        height = min(height, count * (_LARGEST_CELL[1] + GAP))
        return QRectF(left, self.head, width, height)

    def _side(self) -> float:
        """Of the square that is a whole large matrix."""
        return max(min(self.width - 2 * _EDGE, self.height - self.head - HEAD), 10)

    def pitch(self) -> tuple[float, float]:
        """The distance from one cell to the next, across and down."""
        count = max(self.count, 1)
        if self.is_large:
            across = self._side() / count * self.zoom
            return across, across
        area = self.area()
        return area.width() / count * self.zoom, area.height() / count * self.zoom

    def rect(self, row: int, column: int) -> QRectF:
        """Where a cell is."""
        return self.rects()(row, column)

    def rects(self) -> Callable[[int, int], QRectF]:
        """Where each cell is, as a function of row and column, for those who need many of them at once."""
        area, (across, down) = self.area(), self.pitch()
        gap = min(GAP, across / 4)
        left, top = area.left() - self._left * across, area.top() - self._top * down
        width, height = across - gap, down - gap
        return lambda row, column: QRectF(left + column * across, top + row * down, width, height)

    def at(self, point: QPointF) -> tuple[int, int] | None:
        """Row and column under a point."""
        area = self.area()
        if not area.contains(point) or not self.count:
            return None
        x, y = self._place(point)
        row, column = int(y), int(x)
        return (row, column) if max(row, column) < self.count else None

    def _place(self, point: QPointF) -> tuple[float, float]:
        """Column and row of a point, with fractions."""
        area, (across, down) = self.area(), self.pitch()
        return (point.x() - area.left()) / across + self._left, (point.y() - area.top()) / down + self._top

    def visible_rows(self) -> range:
        return self._visible(self.pitch()[1], self.area().height(), self._top)

    def visible_columns(self) -> range:
        return self._visible(self.pitch()[0], self.area().width(), self._left)

    def _visible(self, pitch: float, length: float, start: float) -> range:
        return range(int(start), min(math.ceil(start + length / pitch), self.count))

    # Zoom

    def zoom_by(self, factor: float, around: QPointF) -> None:
        """Zooms so that what is under the point stays there, or at the next place that is seen."""
        x, y = self._place(around)
        most = max(self.count * CELL_HEIGHT / self._side(), 1.0)
        self.zoom = min(max(self.zoom * factor, 1.0), most)
        # Names may stand beside the cells now, or no longer.
        area, (across, down) = self.area(), self.pitch()
        inner = area.adjusted(across / 2, down / 2, -across / 2, -down / 2)
        at_x = min(max(around.x(), inner.left()), inner.right()) - area.left()
        at_y = min(max(around.y(), inner.top()), inner.bottom()) - area.top()
        self.scroll_to(x - at_x / across, y - at_y / down)

    def scroll_to(self, left: float, top: float) -> None:
        """Puts a place into the top left corner, as far as there is something to see."""
        across, down = self._shown()
        self._left = min(max(left, 0.0), max(self.count - across, 0.0))
        self._top = min(max(top, 0.0), max(self.count - down, 0.0))

    def _shown(self) -> tuple[float, float]:
        """How many columns and rows are seen, with fractions."""
        area, (across, down) = self.area(), self.pitch()
        return area.width() / across, area.height() / down

    def scroll_into_view(self, row: int, column: int) -> None:
        """Scrolls as little as possible."""
        across, down = self._shown()
        left = min(max(self._left, column + 1 - across), float(column))
        self.scroll_to(left, min(max(self._top, row + 1 - down), float(row)))

    def reset(self) -> None:
        """Shows the whole matrix."""
        self.zoom = 1.0
        self.scroll_to(0.0, 0.0)
