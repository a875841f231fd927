"""Paints the rows of the table of runs: runs with their curves, and heads of groups with their statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from cnnstudio.gui.runs.table.run_model import THUMBNAIL, TITLE
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.comparing.significance import SeedStatistics
from cnnstudio.runs.library.arrangement import Group, Row
from cnnstudio.runs.library.columns import Column
from cnnstudio.runs.library.curve import Point
from cnnstudio.runs.library.summary import RunSummary

ROW_HEIGHT = 32
SIDE = 16
"""Pixels to the left of the first column and to the right of the last one."""
CHECK = 16
_CHECK_GAP = 8
_INDENT = 28
_CHIP_PADDING, _CHIP_HEIGHT = 8, 18
_MIN_CHIP = 6
"""Characters of a longer text that are worth showing."""
_TITLE_WIDTH_SHARE = 0.75
"""Of the first column; the tags take the rest."""
THUMBNAIL_WIDTH, _THUMBNAIL_HEIGHT = 96, 24
_BAND_WIDTH, _BAND_TEXT = 160, 40
_CURVES_FOR_RANGE = 300
"""Runs whose losses decide the common range of the thumbnails."""


@dataclass(frozen=True)
class CurveRange:
    """The axes that all thumbnails share, so that they can be compared."""

    epochs: float = 1.0
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, runs: Sequence[RunSummary]) -> CurveRange:
        """From the smallest loss to about the highest first one, so that a run that diverges is cut off."""
        some = [run for run in runs[:_CURVES_FOR_RANGE] if run.training or run.validation]
        starts = sorted(curve[0][1] for run in some if (curve := run.training_curve or run.validation_curve))
        if not starts:
            return cls()
        lows = [y for run in some for curve in (run.training_curve, run.validation_curve) for _, y in curve]
        epochs = max(run.epochs if run.is_running else run.last_epoch or 1 for run in some)
        low, high = min(lows), starts[round(0.9 * (len(starts) - 1))]
        return cls(float(epochs), low, high if high > low else low + 1.0)


class RowPainter:
    """Fonts and measures of the rows; made anew when the theme changes."""

    def __init__(self) -> None:
        self._strong = TextMetrics(theme().font("strong"))
        self._content = TextMetrics(theme().font("content"))
        self._help = TextMetrics(theme().font("help"))
        chip = QFont(theme().font("help"))
        chip.setPixelSize(11)
        self._chip = TextMetrics(chip)
        self._mono = TextMetrics(theme().monospace())
        bold = QFont(theme().monospace())
        bold.setWeight(QFont.Weight.DemiBold)
        self._mono_bold = TextMetrics(bold)
        self._head = TextMetrics(theme().font("head"))

    # Widths

    def column_width(self, column: Column, runs: Iterable[RunSummary]) -> int:
        """Of a column of text, with the gap to the one before."""
        metrics = self._metrics_of(column)
        # The arrow of the sorted column needs a place, and no column may move when it is sorted.
        widest = max((metrics.width(plain_line(column.text(run), 40)) for run in runs), default=0)
        return max(widest, self._head.width(f"{column.title.upper()} ↓")) + 24

    def _metrics_of(self, column: Column) -> TextMetrics:
        if column.key == "best":
            return self._mono_bold
        return self._mono if column.is_number else self._help

    # Rows

    def paint_background(
        self, painter: QPainter, rect: QRect, row: Row, *, is_current: bool, has_focus: bool
    ) -> None:
        if row.group is not None:
            painter.fillRect(rect, theme().color("background"))
            painter.setPen(theme().color("border"))
            painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if is_current:
            ring = QRectF(rect).adjusted(5, 1, -5, -1)
            painter.setPen(
                QPen(theme().color("accent"), 2) if has_focus else QPen(theme().color("border"), 1)
            )
            painter.setBrush(theme().color("selection") if row.run is not None else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(ring, 5, 5)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def check_rect(self, rect: QRect, depth: int) -> QRect:
        """The check box of a run's row; its column begins with the row."""
        return QRect(rect.left() + SIDE, rect.center().y() - CHECK // 2 + 1, CHECK, CHECK)

    def title_left(self, rect: QRect, depth: int) -> int:
        return rect.left() + SIDE + CHECK + _CHECK_GAP + depth * _INDENT

    def paint_run(
        self,
        painter: QPainter,
        row: Row,
        columns: Sequence[Column],
        cell: Callable[[int], QRect],
        curves: CurveRange,
        *,
        is_chosen: bool,
        is_shown: bool,
    ) -> None:
        """`cell` gives the rectangle of a column; `is_shown` is for the run that the window shows."""
        run = row.run
        assert run is not None
        for number, column in enumerate(columns):
            rect = cell(number)
            if column.key == TITLE:
                self._paint_title(painter, rect, run, row.depth, is_chosen=is_chosen, is_shown=is_shown)
            elif column.key == THUMBNAIL:
                _paint_curves(painter, rect, run, curves)
            else:
                self._paint_value(painter, rect, run, column)

    def _paint_title(
        self, painter: QPainter, rect: QRect, run: RunSummary, depth: int, *, is_chosen: bool, is_shown: bool
    ) -> None:
        _paint_check(painter, self.check_rect(rect, depth), is_chosen=is_chosen)
        left = self.title_left(rect, depth)
        if depth:
            painter.setPen(theme().color("secondary"))
            corner = left - _INDENT + 8
            middle = rect.center().y()
            painter.drawLine(corner, rect.top(), corner, middle)
            painter.drawLine(corner, middle, corner + 12, middle)
        chips = [*run.label.tags, *(("on show",) if is_shown else ()), *_state_chip(run)]
        metrics = self._strong if is_shown else self._content
        space = rect.right() - left - 8
        room = space if not chips else max(int(space * _TITLE_WIDTH_SHARE), space - self._chips_width(chips))
        title = metrics.elided(plain_line(run.title), room)
        painter.setFont(metrics.font)
        painter.setPen(theme().color("text"))
        painter.drawText(left, metrics.baseline(rect.center().y()), title)
        self._paint_chips(painter, rect, left + metrics.width(title) + 8, chips)

    def _chips_width(self, chips: Sequence[str]) -> int:
        return sum(self._chip.width(plain_line(text, 40)) + 2 * _CHIP_PADDING + 6 for text in chips) + 8

    def _paint_chips(self, painter: QPainter, rect: QRect, left: int, chips: Sequence[str]) -> None:
        painter.setFont(self._chip.font)
        for text in chips:
            shown = self._chip.elided(
                plain_line(text, 40), max(rect.right() - left - 2 * _CHIP_PADDING - 4, 0)
            )
            width = self._chip.width(shown) + 2 * _CHIP_PADDING
            if left + width > rect.right() or len(shown) < min(len(text), _MIN_CHIP):
                # A letter or two say nothing.
                return
            box = QRectF(left + 0.5, rect.center().y() - _CHIP_HEIGHT / 2 + 0.5, width, _CHIP_HEIGHT)
            painter.setPen(theme().color("border"))
            painter.setBrush(theme().color("panel"))
            painter.drawRoundedRect(box, _CHIP_HEIGHT / 2, _CHIP_HEIGHT / 2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme().color("text"))
            painter.drawText(left + _CHIP_PADDING, self._chip.baseline(box.center().y()), shown)
            left += width + 6

    def _paint_value(self, painter: QPainter, rect: QRect, run: RunSummary, column: Column) -> None:
        metrics, text = self._metrics_of(column), plain_line(column.text(run), 80)
        middle, right = rect.center().y(), rect.right()
        if column.key in ("best", "last") and "(" in text:
            # The epoch in gray behind the accuracy.
            value, _, epoch = text.partition(" ")
            painter.setFont(self._mono.font)
            painter.setPen(theme().color("secondary"))
            painter.drawText(right - self._mono.width(epoch), self._mono.baseline(middle), epoch)
            right -= self._mono.width(f" {epoch}")
            text = value
        shown = metrics.elided(text, max(right - rect.left() - 12, 0))
        painter.setFont(metrics.font)
        painter.setPen(theme().color("text"))
        left = right - metrics.width(shown) if column.is_number else rect.left() + 12
        painter.drawText(left, metrics.baseline(middle), shown)

    def paint_head(
        self, painter: QPainter, rect: QRect, text: str, *, is_number: bool, is_first: bool, is_sorted: bool
    ) -> None:
        """The head of a column, aligned with the values below it."""
        painter.setFont(self._head.font)
        painter.setPen(theme().color("text" if is_sorted else "secondary"))
        # The font writes capitals.
        width = self._head.width(text.upper())
        left = rect.right() - width if is_number else rect.left() + (SIDE if is_first else 12)
        painter.drawText(left, self._head.baseline(rect.center().y()), text)

    def paint_group(self, painter: QPainter, rect: QRect, row: Row, axis: tuple[float, float]) -> None:
        group = row.group
        assert group is not None
        middle = rect.center().y()
        _paint_chevron(painter, QPointF(rect.left() + SIDE + 5, middle), is_collapsed=row.is_collapsed)
        left, right = rect.left() + SIDE + 22, rect.right() - SIDE
        if group.statistics is not None:
            right -= _BAND_WIDTH + 2 * _BAND_TEXT + 16
            self._paint_band(
                painter,
                QRect(right + 16, rect.top(), rect.right() - SIDE - right - 16, rect.height()),
                group.statistics,
                axis,
            )
        title = self._strong.elided(plain_line(group.title), max((right - left) * 2 // 3, 0))
        painter.setFont(self._strong.font)
        painter.setPen(theme().color("text"))
        painter.drawText(left, self._strong.baseline(middle), title)
        left += self._strong.width(title) + 12
        painter.setFont(self._help.font)
        painter.setPen(theme().color("secondary"))
        text = self._help.elided(_group_text(group), max(right - left, 0))
        painter.drawText(left, self._help.baseline(middle), text)

    def _paint_band(
        self, painter: QPainter, rect: QRect, statistics: SeedStatistics, axis: tuple[float, float]
    ) -> None:
        """Mean and deviation on the axis that all groups share, with its ends in words."""
        (low, high), middle = axis, rect.center().y() + 0.5
        first, last = rect.left() + _BAND_TEXT, rect.right() - _BAND_TEXT
        painter.setFont(self._chip.font)
        painter.setPen(theme().color("secondary"))
        for text, x in ((f"{100 * low:.0f}%", None), (f"{100 * high:.0f}%", last + 8)):
            place = first - 8 - self._chip.width(text) if x is None else x
            painter.drawText(place, self._chip.baseline(middle), text)
        painter.setPen(QPen(theme().color("border"), 2))
        painter.drawLine(QPointF(first, middle), QPointF(last, middle))

        def place_of(value: float) -> float:
            return first + (min(max(value, low), high) - low) / (high - low) * (last - first)

        painter.setPen(Qt.PenStyle.NoPen)
        if statistics.std is not None:
            start, end = (
                place_of(statistics.mean - statistics.std),
                place_of(statistics.mean + statistics.std),
            )
            band = QColor(theme().color("accent"))
            band.setAlphaF(0.35)
            painter.setBrush(band)
            painter.drawRoundedRect(QRectF(start, middle - 4, max(end - start, 2), 8), 4, 4)
        painter.setBrush(theme().color("accent"))
        painter.drawEllipse(QPointF(place_of(statistics.mean), middle), 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _group_text(group: Group) -> str:
    if not group.branches:
        return group.text
    branches = "1 branch" if group.branches == 1 else f"{group.branches:,} branches"
    return f"{group.text} · including {branches}"


def _state_chip(run: RunSummary) -> tuple[str, ...]:
    """What is unusual about how it stands."""
    if run.is_running:
        return (f"training, epoch {run.last_epoch or 0} of {run.epochs}",)
    return (run.status,) if run.status in ("failed", "interrupted") else ()


def _paint_check(painter: QPainter, rect: QRect, *, is_chosen: bool) -> None:
    painter.setPen(theme().color("accent" if is_chosen else "secondary"))
    painter.setBrush(theme().color("accent" if is_chosen else "field"))
    painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if is_chosen:
        painter.setPen(QPen(theme().color("on_accent"), 1.8))
        x, y = rect.left(), rect.top()
        points = (QPointF(x + 4, y + 8.5), QPointF(x + 7, y + 11.5), QPointF(x + 12, y + 5.5))
        painter.drawPolyline(QPolygonF(points))


def _paint_chevron(painter: QPainter, center: QPointF, *, is_collapsed: bool) -> None:
    painter.setPen(QPen(theme().color("secondary"), 1.4))
    x, y = center.x(), center.y()
    if is_collapsed:
        points = [QPointF(x - 2, y - 4), QPointF(x + 2, y), QPointF(x - 2, y + 4)]
    else:
        points = [QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)]
    painter.drawPolyline(QPolygonF(points))


def _paint_curves(painter: QPainter, cell: QRect, run: RunSummary, curves: CurveRange) -> None:
    """The training loss in blue and the validation loss in orange, on axes that all runs share."""
    area = QRectF(
        cell.left() + 8, cell.center().y() - _THUMBNAIL_HEIGHT / 2, THUMBNAIL_WIDTH, _THUMBNAIL_HEIGHT
    )
    painter.setPen(theme().color("grid"))
    painter.drawLine(area.bottomLeft(), area.bottomRight())
    for curve, token in ((run.training_curve, "training"), (run.validation_curve, "validation")):
        if not curve:
            continue
        points = [_place(area, point, curves) for point in curve]
        painter.setPen(QPen(theme().color(token), 1.4))
        painter.drawPolyline(QPolygonF(points))
        if len(points) == 1:
            painter.drawEllipse(points[0], 1, 1)


def _place(area: QRectF, point: Point, curves: CurveRange) -> QPointF:
    x = min(point[0] / curves.epochs, 1.0)
    y = min(max((point[1] - curves.low) / (curves.high - curves.low), 0.0), 1.0)
    return QPointF(area.left() + x * area.width(), area.bottom() - 1 - y * (area.height() - 2))
