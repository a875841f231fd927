"""What is drawn into a plot by pyqtgraph: lines, lines with dots, and an area."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from cnnstudio.gui.plots.drawing.axes import Range

MAXIMUM_DOTS = 60
"""More dots than this would merge into a thick line."""
_DOT_RADIUS = 3.0

Points = tuple[np.ndarray, np.ndarray]
"""x and y, float64 (N,) each."""

NO_POINTS: Points = (np.empty(0), np.empty(0))


class Curve(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A curve that claims the whole view: computing its true bounds would cost more than drawing it."""

    def show_points(self, points: Points) -> None:
        """Shows points; those that are not finite are left out."""
        x, y = points
        is_finite = np.isfinite(y)
        if not is_finite.all():
            x, y = x[is_finite], y[is_finite]
        self.setData(x, y, connect="all")

    def clip(self, x: Range, y: Range) -> None:
        """Keeps what is inside a range of both axes. Peaks beyond it end at its edge."""
        shown_x, shown_y = clip_line(self.points, x)
        inside = (shown_y >= y[0]) & (shown_y <= y[1])
        beside = inside | np.append(inside[1:], False) | np.append(False, inside[:-1])
        clipped = np.where(beside, np.clip(shown_y, *y), np.nan)
        self.setData(shown_x, clipped, connect="finite")

    def set_line(self, pen: QPen) -> None:
        """Solid lines are painted in segments, in less than half of the time; dashes need the whole path."""
        # Other caps would overlap, and be darker where they do.
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        self.setPen(pen)
        self.setSegmentedLineMode("on" if pen.style() == Qt.PenStyle.SolidLine else "off")

    @property
    def points(self) -> Points:
        x, y = self.getData()
        return NO_POINTS if x is None else (x, y)

    def boundingRect(self) -> QRectF:
        box = self.getViewBox()
        return QRectF() if box is None else box.viewRect()


class DottedCurve(Curve):
    """A curve with a dot at each point, unless there are too many."""

    def __init__(self, *, maximum: int = MAXIMUM_DOTS, **options: object) -> None:
        """With a `maximum` of 1, only a curve that is a single point has a dot: it would not be seen."""
        super().__init__(**options)
        self._maximum = maximum

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        x, y = self.points
        if len(x) > 1:
            super().paint(painter, option, widget)
        if not len(x) or len(x) > self._maximum:
            return
        transform, seen = painter.transform(), self._seen()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.opts["pen"].color())
        # The view cuts off what is outside: half of a dot at its edge, such as that of the last epoch.
        painter.setClipping(False)
        for point in zip(x[seen].tolist(), y[seen].tolist(), strict=True):
            painter.drawEllipse(transform.map(QPointF(*point)), _DOT_RADIUS, _DOT_RADIUS)
        painter.restore()

    def _seen(self) -> np.ndarray:
        """Which points are within the view, or at its edge: bool (N,)."""
        (x, y), view = self.points, self.boundingRect()
        reach = 1e-6 * view.width(), 1e-6 * view.height()
        inside_x = (x >= view.left() - reach[0]) & (x <= view.right() + reach[0])
        return np.asarray(inside_x & (y >= view.top() - reach[1]) & (y <= view.bottom() + reach[1]))


class Area(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """Filled areas between two curves."""

    def __init__(self) -> None:
        super().__init__()
        self._polygons: list[QPolygonF] = []
        self._brush = QBrush()

    def set_color(self, color: QColor) -> None:
        self._brush = QBrush(color)
        self.update()

    def show_areas(self, areas: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Fills areas: x, and y of both edges, float64 (N,) each."""
        self._polygons = [_polygon(*area) for area in areas]
        self.update()

    def clip(self, x: Range, y: Range) -> None:
        """Keeps what is inside a range of both axes."""
        window = QPolygonF(QRectF(QPointF(x[0], y[0]), QPointF(x[1], y[1])))
        self._polygons = [polygon.intersected(window) for polygon in self._polygons]

    @property
    def count(self) -> int:
        """How many separate areas are shown."""
        return len(self._polygons)

    def boundingRect(self) -> QRectF:
        box = self.getViewBox()
        return QRectF() if box is None else box.viewRect()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        for polygon in self._polygons:
            painter.drawPolygon(polygon)


def thinned(points: Points, span: Range, most: int) -> Points:
    """The part of a smooth line between two places, in about `most` points; a short line as it is."""
    if len(points[0]) <= most:
        return points
    first = max(int(np.searchsorted(points[0], span[0])) - 1, 0)
    last = min(int(np.searchsorted(points[0], span[1], side="right")) + 1, len(points[0]))
    chosen = np.arange(first, last, max(-(-(last - first) // most), 1))
    # The end of the line is where it grows.
    chosen = np.append(chosen, last - 1) if chosen[-1] != last - 1 else chosen
    return points[0][chosen], points[1][chosen]


def clip_line(points: Points, span: Range) -> Points:
    """The part of a line between two places, with points where it enters and leaves."""
    x, y = points
    if not len(x):
        return points
    first, last = np.searchsorted(x, span[0]), np.searchsorted(x, span[1], side="right")
    ends = [edge for edge, inside in ((span[0], first), (span[1], last)) if 0 < inside < len(x)]
    edges = np.array(ends), np.interp(ends, x, y) if ends else np.empty(0)
    order = np.argsort(np.concatenate([x[first:last], edges[0]]), kind="stable")
    return (
        np.concatenate([x[first:last], edges[0]])[order],
        np.concatenate([y[first:last], edges[1]])[order],
    )


def _polygon(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> QPolygonF:
    there = zip(x.tolist(), upper.tolist(), strict=True)
    back = zip(x[::-1].tolist(), lower[::-1].tolist(), strict=True)
    return QPolygonF([QPointF(*point) for point in (*there, *back)])


def gap_areas(
    training: Points, validation: Points, *, is_better_low: bool
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Where the validation values are worse than the training values: x, validation and training.

    The edges run to where both lines cross.
    """
    x, y = validation
    if len(x) < 2 or not len(training[0]):
        return []
    reference = np.interp(x, *training)
    worse = (y - reference) if is_better_low else (reference - y)
    # A point at each crossing, where the difference is 0.
    before, after = worse[:-1], worse[1:]
    crosses = np.flatnonzero(before * after < 0)
    share = before[crosses] / (before[crosses] - after[crosses])
    where = crosses + 1
    x = np.insert(x, where, x[crosses] + share * (x[crosses + 1] - x[crosses]))
    y = np.insert(y, where, y[crosses] + share * (y[crosses + 1] - y[crosses]))
    worse = np.insert(worse, where, 0.0)
    reference = y - worse if is_better_low else y + worse
    is_gap = worse >= 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_gap, [False]]).astype(np.int8)))
    spans = [slice(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return [
        (x[span], y[span], reference[span])
        for span in spans
        if span.stop - span.start > 1 and worse[span].max() > 0
    ]


def blended(color: QColor, background: QColor, share: float) -> QColor:
    """A fainter, but opaque color: where transparent lines overlap they would become darker."""
    pairs = zip(
        (color.red(), color.green(), color.blue()),
        (background.red(), background.green(), background.blue()),
        strict=True,
    )
    return QColor(*(round(share * own + (1 - share) * other) for own, other in pairs))
