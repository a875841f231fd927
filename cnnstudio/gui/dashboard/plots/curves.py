"""One plot of the dashboard: a quantity for training and validation over the epochs."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStyleOptionGraphicsItem, QVBoxLayout, QWidget

from cnnstudio.gui.dashboard.plots.legend import Legend
from cnnstudio.gui.runs.history import Curves
from cnnstudio.gui.theme.theme import PIXELS, theme

_MARKED_EPOCHS = 60
"""More dots than this would be a caterpillar."""
_DOT_RADIUS = 3.0
_FAINT = 0.45
"""How much of its color the line of single steps has."""
_NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class _Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis with few numbers at round places, and no line of its own."""

    def __init__(self, orientation: str, *, whole: bool = False, percent: bool = False) -> None:
        super().__init__(orientation)
        self._whole = whole
        self._percent = percent
        self.setStyle(tickLength=0, tickTextOffset=6, maxTickLevel=0, tickAlpha=255)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks, at least so many pixels apart that their numbers do not touch."""
        apart = 24 if self.orientation in ("left", "right") else 32
        spacing = round_up((high - low) * apart / max(size, 1), (1.0, 2.0, 2.5, 5.0, 10.0))
        if self._whole:
            spacing = max(round_up(spacing, (1.0, 2.0, 5.0, 10.0)), 1.0)
        return [(spacing, 0.0)]

    def boundingRect(self) -> QRectF:
        # The numbers at both ends reach beyond the axis; pyqtgraph would leave them out.
        return QRectF(super().boundingRect()).adjusted(-14, -8, 14, 8)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self._percent:
            return [f"{100 * value:.{2 if spacing < 0.01 else 0}f}%" for value in values]
        places = max(0, math.ceil(-math.log10(spacing) - 1e-9)) if spacing > 0 else 0
        if places and not (spacing * 10**places).is_integer():
            places += 1
        return [f"{value:,.{places}f}" for value in values]


class _Curve(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A curve that covers the whole view: to find its own bounds would cost more than to draw it."""

    def boundingRect(self) -> QRectF:
        box = self.getViewBox()
        return QRectF() if box is None else box.viewRect()


class _DottedCurve(_Curve):
    """A curve with a dot at each of its points, as long as they are not too many."""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        super().paint(painter, option, widget)
        x, y = self.getData()
        if x is None or len(x) > _MARKED_EPOCHS:
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
    """The plot itself: axes, and a sentence where there is no curve yet."""

    hovered = Signal(object)
    """The epoch under the mouse, or None when it left."""
    zoomed = Signal(object)

    def __init__(self, *, percent: bool) -> None:
        axes = {"left": _Axis("left", percent=percent), "bottom": _Axis("bottom", whole=True)}
        super().__init__(axisItems=axes)
        self.hint = ""
        self.setAntialiasing(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(140, 90)
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
            painter.drawText(self.inside(), int(flags), self.hint)
            painter.end()

    def inside(self) -> QRectF:
        """The area between the axes, in the viewport's pixels."""
        return QRectF(self.mapFromScene(self.getViewBox().sceneBoundingRect()).boundingRect())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        inside = self.inside().contains(event.position())
        place = self.getViewBox().mapSceneToView(QPointF(self.mapToScene(event.position().toPoint())))
        self.hovered.emit(float(place.x()) if inside else None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoomed.emit(False)


class CurvePlot(QWidget):
    """Title, legend and plot of one quantity. Draws when it is told to, and only while it can be seen."""

    hovered = Signal(object)

    def __init__(self, title: str, object_name: str, *, percent: bool = False) -> None:
        super().__init__()
        self._hint = ""
        self._percent = percent
        self._curves = Curves()
        self._epochs = 1
        self._cursor: float | None = None
        self._hover: float | None = None
        self._zoomed = False
        self._drawn: object = None
        self._trend_curve = self._curves.trend.curve()
        self.plot = Plot(percent=percent)
        self.plot.setObjectName(object_name)
        self.plot.setAccessibleName(title)
        self.legend = Legend(percent=percent)
        self._title = QLabel(title)
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
        # Few enough points that smooth edges cost little.
        self._trend = _Curve(skipFiniteCheck=True, antialias=True)
        self._validation = _DottedCurve(skipFiniteCheck=True, antialias=True)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        for z, item in enumerate((self._steps, self._trend, self._validation, self._line)):
            item.setZValue(z)
            self.plot.addItem(item, ignoreBounds=True)
        self._line.hide()
        self._marks: list[pg.InfiniteLine] = []

    def _restyle(self, _: object = None) -> None:
        look = theme()
        self._title.setFont(look.font("strong"))
        self.plot.setBackground(look.color("panel"))
        small = QFont(look.font("help"))
        small.setPixelSize(PIXELS["head"])
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            # Beneath the curves: the grid belongs to the axis.
            axis.setZValue(-1)
            axis.setStyle(tickFont=small)
            axis.setTextPen(look.color("secondary"))
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTickPen(pg.mkPen(look.color("grid")))
        self.plot.getAxis("left").setGrid(255)
        self.plot.getAxis("left").setWidth(40 if self._percent else 30)
        self.plot.getAxis("bottom").setHeight(32)
        self.plot.getAxis("bottom").setLabel(
            "epoch", **{"color": look.color("secondary").name(), "font-size": f"{PIXELS['head']}px"}
        )
        # Widths are in the screen's own pixels.
        thin = self.devicePixelRatioF()
        self._steps.setPen(pg.mkPen(_mixed(look.color("training"), look.color("panel")), width=thin))
        self._trend.setPen(pg.mkPen(look.color("training"), width=2 * thin))
        self._validation.setPen(pg.mkPen(look.color("validation"), width=2 * thin))
        self._forget_marks()
        self._line.setPen(pg.mkPen(look.color("secondary"), width=thin, style=Qt.PenStyle.DashLine))
        self.legend.update()

    def show_curves(self, curves: Curves, epochs: int, hint: str, version: object) -> None:
        """What to show: the axis goes to `epochs`, and `hint` stands where there is no curve yet.

        Nothing is drawn where `version` was drawn already.
        """
        if curves is not self._curves:
            self._zoomed = False
        self._curves, self._epochs, self._hint = curves, epochs, hint
        if self._drawn != version and self.isVisible():
            self._drawn = version
            self.draw()

    def draw(self) -> None:
        """Puts the numbers that can be seen into the plot."""
        curves = self._curves
        self._trend_curve = curves.trend.curve()
        self.plot.hint = "" if len(curves.steps) or len(curves.validation) else self._hint
        if not self._zoomed:
            self._fit()
        (low, high), _ = self.plot.getViewBox().viewRange()
        pixels = max(int(self.plot.inside().width() * self.devicePixelRatioF()), 16)
        self._steps.setData(*curves.steps.envelope(low, high, 2 * pixels))
        self._trend.setData(*self._trend_curve)
        self._validation.setData(curves.validation.x.copy(), curves.validation.y.copy())
        self._draw_marks(curves.marks)
        self._read()

    def _draw_marks(self, marks: list[tuple[float, str]]) -> None:
        """A dashed line where the run was changed, with what was changed beside it."""
        if [(line.value(), line.label.format) for line in self._marks] == marks:
            return
        self._forget_marks()
        self._marks = [_mark(epoch, text) for epoch, text in marks]
        for line in self._marks:
            self.plot.addItem(line, ignoreBounds=True)

    def _fit(self) -> None:
        """The whole run, from 0 to a round number; changes seldom, so that the axes stand still."""
        top = 1.0
        if not self._percent:
            highest = max(_highest(self._trend_curve[1]), _highest(self._curves.validation.y))
            top = round_up(1.08 * highest, _NICE) if highest > 0 else 2.5
        wanted = [[0.0, float(self._epochs)], [0.0, top]]
        box = self.plot.getViewBox()
        if box.viewRange() != wanted:
            box.setLimits(xMin=0, xMax=wanted[0][1], yMin=0, yMax=top if self._percent else None)
            box.setRange(xRange=wanted[0], yRange=wanted[1], padding=0)

    def _forget_marks(self) -> None:
        while self._marks:
            self.plot.removeItem(self._marks.pop())

    def set_cursor(self, epoch: float | None) -> None:
        """The place in the run that is shown; None at its end."""
        self._cursor = epoch
        self._read()

    def set_hover(self, epoch: float | None) -> None:
        """The place that the mouse points at, in this plot or in its neighbor."""
        self._hover = epoch
        self._read()

    def _read(self) -> None:
        """The numbers at the mouse, else at the cursor, else the newest."""
        place = self._hover if self._hover is not None else self._cursor
        shown = math.inf if place is None else place
        training, validation = self._trend_at(shown), self._curves.validation.at(shown)
        if validation is not None and shown < self._curves.validation.x[0]:
            validation = None
        self.legend.show_values(place if training is not None else None, training, validation)
        self._line.setVisible(place is not None)
        if place is not None:
            self._line.setValue(place)
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


def round_up(value: float, steps: tuple[float, ...]) -> float:
    """The smallest step × power of ten that is not below `value`; `steps` go from 1 to 10."""
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
    line = pg.InfiniteLine(epoch, angle=90, pen=pen, label=text, labelOpts=label)
    small = QFont(theme().font("help"))
    small.setPixelSize(PIXELS["head"])
    line.label.setFont(small)
    line.setZValue(-0.5)
    return line


def _mixed(color: QColor, ground: QColor) -> QColor:
    """Fainter, but not transparent: lines that lie on each other keep it."""
    return QColor(
        *(
            round(_FAINT * own + (1 - _FAINT) * other)
            for own, other in (
                (color.red(), ground.red()),
                (color.green(), ground.green()),
                (color.blue(), ground.blue()),
            )
        )
    )
