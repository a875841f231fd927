"""A plot of one metric over the epochs, for training and validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStyleOptionGraphicsItem, QVBoxLayout, QWidget

from cnnstudio.gui.plots.legend import Legend
from cnnstudio.gui.runs.curves.marks import Mark
from cnnstudio.gui.runs.curves.metric_curves import MetricCurves
from cnnstudio.gui.theme.theme import PIXELS, theme
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line

_MAXIMUM_DOTS = 60
"""More dots than this would merge into a thick line."""
_DOT_RADIUS = 3.0
_FAINT = 0.45
"""The opacity of the line of single steps."""
_LATE_DRAW_MS = 1_000
"""After this time a change is drawn that is too small to see, such as the last digit of a value."""
_AXIS_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class _Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis with a few labels at round numbers, and no line of its own."""

    def __init__(self, orientation: str, *, whole: bool = False, percent: bool = False) -> None:
        super().__init__(orientation)
        self._whole = whole
        self._percent = percent
        self.setStyle(tickLength=0, tickTextOffset=6, maxTickLevel=0, tickAlpha=255)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks, far enough apart that their labels do not touch."""
        distance = 24 if self.orientation in ("left", "right") else 32
        spacing = round_up((high - low) * distance / max(size, 1), (1.0, 2.0, 2.5, 5.0, 10.0))
        if self._whole:
            spacing = max(round_up(spacing, (1.0, 2.0, 5.0, 10.0)), 1.0)
        return [(spacing, 0.0)]

    def boundingRect(self) -> QRectF:
        # The labels at both ends extend beyond the axis; pyqtgraph would omit them.
        return QRectF(super().boundingRect()).adjusted(-14, -8, 14, 8)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self._percent:
            return [f"{100 * value:.{2 if spacing < 0.01 else 0}f}%" for value in values]
        decimals = max(0, math.ceil(-math.log10(spacing) - 1e-9)) if spacing > 0 else 0
        if decimals and not (spacing * 10**decimals).is_integer():
            decimals += 1
        return [f"{value:,.{decimals}f}" for value in values]


class _Curve(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A curve that claims the whole view: computing its true bounds would cost more than drawing it."""

    def boundingRect(self) -> QRectF:
        box = self.getViewBox()
        return QRectF() if box is None else box.viewRect()


class _DottedCurve(_Curve):
    """A curve with a dot at each point, unless there are too many."""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        super().paint(painter, option, widget)
        x, y = self.getData()
        if x is None or len(x) > _MAXIMUM_DOTS:
            return
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.opts["pen"].color())
        for point in zip(x, y, strict=True):
            painter.drawEllipse(transform.map(QPointF(*point)), _DOT_RADIUS, _DOT_RADIUS)
        painter.restore()


class Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """The plot area with its axes, and a hint while there is no curve."""

    hovered = Signal(object)
    """The epoch under the mouse, or None when it has left."""
    zoomed = Signal(object)
    """True after the user zoomed or panned, False to show the whole run again."""

    def __init__(self, *, percent: bool) -> None:
        axes = {"left": _Axis("left", percent=percent), "bottom": _Axis("bottom", whole=True)}
        super().__init__(axisItems=axes)
        self.hint = ""
        self.setAntialiasing(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(140, 90)
        # It paints its whole background, so that Qt need not paint all panels below it first.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        for axis in axes.values():
            # The labels and grid lines cost as much as the curves, and hardly ever change.
            axis.setCacheMode(pg.AxisItem.CacheMode.DeviceCoordinateCache)
        self.getPlotItem().layout.setContentsMargins(0, 7, 8, 0)
        box = self.getViewBox()
        box.setDefaultPadding(0)
        box.disableAutoRange()
        box.sigRangeChangedManually.connect(lambda _: self.zoomed.emit(True))

    def sizeHint(self) -> QSize:
        return QSize(330, 180)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hint:
            painter = QPainter(self.viewport())
            painter.setFont(theme().font("help"))
            painter.setPen(theme().color("secondary"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.plot_area(), int(flags), self.hint)
            painter.end()

    def plot_area(self) -> QRectF:
        """The area between the axes, in the viewport's pixels."""
        return QRectF(self.mapFromScene(self.getViewBox().sceneBoundingRect()).boundingRect())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_inside = self.plot_area().contains(event.position())
        point = self.getViewBox().mapSceneToView(QPointF(self.mapToScene(event.position().toPoint())))
        self.hovered.emit(float(point.x()) if is_inside else None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoomed.emit(False)


class CurvePlot(QWidget):
    """Title, legend and plot of one metric. Draws only when `draw` is called, and only while visible."""

    hovered = Signal(object)

    def __init__(
        self, title: str, object_name: str, *, percent: bool = False, has_epochs: bool = True
    ) -> None:
        """Without `has_epochs` its axis has no numbers: those of the plot below it count for both."""
        super().__init__()
        self._hint = ""
        self._has_epochs = has_epochs
        self._percent = percent
        self._curves = MetricCurves()
        self._pixels = 1
        """The width of the plot area in device pixels, when it was last drawn."""
        self._epochs = 1
        self._cursor: float | None = None
        self._hover: float | None = None
        self._zoomed = False
        self._version: object = None
        self._drawn: object = None
        self._drawn_look: object = None
        self._late_draw = QTimer(self)
        self._late_draw.setSingleShot(True)
        self._late_draw.setInterval(_LATE_DRAW_MS)
        self._late_draw.timeout.connect(self.draw)
        self._trend_curve = self._curves.trend.curve()
        self.plot = Plot(percent=percent)
        self.plot.setObjectName(object_name)
        self.plot.setAccessibleName(title)
        self.legend = Legend(percent=percent)
        self._title = Label(title, "strong")
        self._title.setAccessibleName(title)
        self._compose()
        self._make_items()
        self._restyle()
        self.plot.hovered.connect(self.hovered)
        self.plot.zoomed.connect(self._on_zoomed)
        theme().changed.connect(self._restyle)

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self.legend, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.plot, 1)

    def _make_items(self) -> None:
        self._steps = _Curve(skipFiniteCheck=True)
        # These have few points, so that antialiasing costs little.
        self._trend = _Curve(skipFiniteCheck=True, antialias=True)
        self._validation = _DottedCurve(skipFiniteCheck=True, antialias=True)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        for z, item in enumerate((self._steps, self._trend, self._validation, self._line)):
            item.setZValue(z)
            self.plot.addItem(item, ignoreBounds=True)
        self._line.hide()
        self._marks: list[pg.InfiniteLine] = []
        self._shown_marks: list[tuple[float, str]] = []
        self._drawn_marks: list[tuple[float, str]] = []

    def _restyle(self, _: object = None) -> None:
        style = theme()
        self._title.setFont(style.font("strong"))
        self.plot.setBackground(style.color("panel"))
        small = QFont(style.font("help"))
        small.setPixelSize(PIXELS["head"])
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            # Below the curves, because the axis draws the grid lines.
            axis.setZValue(-1)
            axis.setStyle(tickFont=small)
            axis.setTextPen(style.color("secondary"))
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTickPen(pg.mkPen(style.color("grid")))
        self.plot.getAxis("left").setGrid(255)
        self.plot.getAxis("left").setWidth(40)
        bottom = self.plot.getAxis("bottom")
        bottom.setStyle(showValues=self._has_epochs)
        bottom.setHeight(32 if self._has_epochs else 12)
        if self._has_epochs:
            color = style.color("secondary").name()
            bottom.setLabel("epoch", **{"color": color, "font-size": f"{PIXELS['head']}px"})
        # pyqtgraph's pens are cosmetic: their widths are in device pixels.
        thin = self.devicePixelRatioF()
        self._steps.setPen(pg.mkPen(_blended(style.color("training"), style.color("panel")), width=thin))
        self._trend.setPen(pg.mkPen(style.color("training"), width=2 * thin))
        self._validation.setPen(pg.mkPen(style.color("validation"), width=2 * thin))
        self._remove_marks()
        self._line.setPen(pg.mkPen(style.color("accent"), width=1.5 * thin))
        self.legend.update()

    def show_curves(
        self, curves: MetricCurves, epochs: int, hint: str, version: object, marks: Sequence[Mark] = ()
    ) -> None:
        """Shows the curves on an axis that ends at `epochs`, and `hint` if they are empty.

        Draws nothing if `version` has been drawn before, and a change of less than a pixel a moment later.
        """
        if curves is not self._curves:
            self._zoomed = False
        self._curves, self._epochs, self._hint, self._version = curves, epochs, hint, version
        self._shown_marks = [(mark.epoch, mark.label) for mark in marks]
        if self._drawn == version or not self.isVisible():
            return
        if self._look() != self._drawn_look:
            self.draw()
        elif not self._late_draw.isActive():
            self._late_draw.start()

    def _look(self) -> object:
        """Changes whenever the plot would visibly change: in a long run many steps share one pixel."""
        curves = self._curves
        (low, high), _ = self.plot.getViewBox().viewRange()
        end = curves.steps.x[-1] if len(curves.steps) else low
        column = int(self._pixels * (min(end, high) - low) / (high - low))
        return curves, self._epochs, self._hint, column, len(curves.validation), tuple(self._shown_marks)

    def draw(self) -> None:
        """Draws the visible part of the curves."""
        self._late_draw.stop()
        self._drawn = self._version
        curves = self._curves
        self._trend_curve = curves.trend.curve()
        self.plot.hint = "" if len(curves.steps) or len(curves.validation) else self._hint
        if not self._zoomed:
            self._fit()
        (low, high), _ = self.plot.getViewBox().viewRange()
        self._pixels = max(int(self.plot.plot_area().width() * self.devicePixelRatioF()), 16)
        self._drawn_look = self._look()
        self._steps.setData(*curves.steps.envelope(low, high, 2 * self._pixels))
        self._trend.setData(*self._trend_curve)
        self._validation.setData(curves.validation.x.copy(), curves.validation.y.copy())
        self._draw_marks(self._shown_marks)
        self._show_values()

    def _draw_marks(self, marks: list[tuple[float, str]]) -> None:
        """Draws a labeled dashed line for each change of the run."""
        if marks == self._drawn_marks:
            return
        self._remove_marks()
        self._drawn_marks = list(marks)
        self._marks = [_mark(epoch, text) for epoch, text in marks]
        for line in self._marks:
            self.plot.addItem(line, ignoreBounds=True)

    def _fit(self) -> None:
        """Shows the whole run, up to a round number that seldom changes, so that the axes stay still."""
        top = 1.0
        if not self._percent:
            highest = max(_highest(self._trend_curve[1]), _highest(self._curves.validation.y))
            top = round_up(1.08 * highest, _AXIS_STEPS) if highest > 0 else 2.5
        ranges = [[0.0, float(self._epochs)], [0.0, top]]
        box = self.plot.getViewBox()
        if box.viewRange() != ranges:
            box.setLimits(xMin=0, xMax=ranges[0][1], yMin=0, yMax=top if self._percent else None)
            box.setRange(xRange=ranges[0], yRange=ranges[1], padding=0)

    def _remove_marks(self) -> None:
        while self._marks:
            self.plot.removeItem(self._marks.pop())
        self._drawn_marks = []

    def set_cursor(self, epoch: float | None) -> None:
        """Shows the values at an epoch of the run; None for its end."""
        if epoch != self._cursor:
            self._cursor = epoch
            self._show_values()

    def set_hover(self, epoch: float | None) -> None:
        """Shows the values at the epoch under the mouse, in this plot or in the other one.

        It is rounded as the legend shows it: just before the end of epoch 2, "epoch 2.00" has its values.
        """
        if epoch is not None:
            epoch = round(epoch, 2)
        if epoch != self._hover:
            self._hover = epoch
            self._show_values()

    def _show_values(self) -> None:
        """Shows the values under the mouse, else at the cursor, else the newest ones."""
        epoch = self._hover if self._hover is not None else self._cursor
        shown = math.inf if epoch is None else epoch
        training, validation = self._trend_at(shown), self._curves.validation.at(shown)
        if validation is not None and shown < self._curves.validation.x[0]:
            validation = None
        self.legend.show_values(epoch if training is not None else None, training, validation)
        self._line.setVisible(epoch is not None)
        if epoch is not None:
            self._line.setValue(epoch)
        self.plot.setAccessibleDescription(self.legend.text or self._hint)

    def _trend_at(self, epoch: float) -> float | None:
        x, y = self._trend_curve
        return float(np.interp(epoch, x, y)) if len(x) else None

    def _on_zoomed(self, zoomed: object) -> None:
        self._zoomed = bool(zoomed)
        self.draw()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._restyle()
        return bool(super().event(event))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._restyle()
        self.draw()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._late_draw.stop()


def round_up(value: float, steps: tuple[float, ...]) -> float:
    """The smallest step × power of ten that is at least `value`; `steps` increase from 1 to 10."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in steps if step * power >= value * (1 - 1e-9)), 10 * power)


def _highest(values: np.ndarray) -> float:
    return float(values.max()) if len(values) else 0.0


def _mark(epoch: float, text: str) -> pg.InfiniteLine:
    color = theme().color("secondary")
    pen = pg.mkPen(color, style=Qt.PenStyle.DashLine)
    label = {"position": 0.98, "color": color, "rotateAxis": (1, 0), "anchors": [(1, 1), (1, 1)]}
    # pyqtgraph fills the line's value into braces, which here are those of a text from a run's file.
    shown = plain_line(text).replace("{", "{{").replace("}", "}}")
    line = pg.InfiniteLine(epoch, angle=90, pen=pen, label=shown, labelOpts=label)
    small = QFont(theme().font("help"))
    small.setPixelSize(PIXELS["head"])
    line.label.setFont(small)
    line.setZValue(-0.5)
    return line


def _blended(color: QColor, background: QColor) -> QColor:
    """A fainter, but opaque color: where transparent lines overlap they would become darker."""
    return QColor(
        *(
            round(_FAINT * own + (1 - _FAINT) * other)
            for own, other in (
                (color.red(), background.red()),
                (color.green(), background.green()),
                (color.blue(), background.blue()),
            )
        )
    )
