"""A plot of one metric over the epochs: training, validation, and other runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.plots.content import PlotContent
from cnnstudio.gui.plots.drawing.axes import Range, to_axis
from cnnstudio.gui.plots.drawing.foreground import Crosshair
from cnnstudio.gui.plots.drawing.items import (
    NO_POINTS,
    Area,
    Curve,
    DottedCurve,
    Points,
    blended,
    gap_areas,
    thinned,
)
from cnnstudio.gui.plots.drawing.plot import Plot
from cnnstudio.gui.plots.entries import entries_of
from cnnstudio.gui.plots.legend import Legend
from cnnstudio.gui.plots.metrics import Metric
from cnnstudio.gui.plots.ranges import ValueRanges
from cnnstudio.gui.plots.values import (
    is_of_epochs,
    summarize,
    texts_at,
    training_at,
    training_line,
    validation_at,
)
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label

_FAINT = 0.22
"""The opacity of the line of single steps behind their trend."""
_GAP_ALPHA = 0.16
_HEAD_GAP = 8
"""Pixels between the title and the legend beside it."""
_PIXELS_PER_POINT = 3
_LATE_DRAW_MS = 1_000
"""After this time a change is drawn that is too small to see, such as the last digit of a value."""


class CurvePlot(QWidget):
    """Title, legend and plot of one metric. Draws only when `draw` is called, and only while visible."""

    hovered = Signal(object)
    range_wanted = Signal(object, object)
    reset_wanted = Signal()
    menu_wanted = Signal(object)

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self.quantity = metric
        self.content = PlotContent()
        self._drawn: object = None
        self._drawn_look: object = None
        self._pen_scale = 1.0
        """How many times larger everything is painted than in the window: for an image."""
        self._pixels = 1
        """The width of the plot area in device pixels, when it was last drawn."""
        self.training: Points = NO_POINTS
        """The bold training line as it was drawn last, if there is one, in the values of the metric."""
        self._cursor: float | None = None
        self._hover: float | None = None
        self._ranges = ValueRanges(metric)
        self._zoom: Range | None = None
        self._values: Range | None = None
        """The range of the axis of values that was zoomed to by hand."""
        self._late_draw = QTimer(self)
        self._late_draw.setSingleShot(True)
        self._late_draw.setInterval(_LATE_DRAW_MS)
        self._late_draw.timeout.connect(self.draw)
        self.plot = Plot(percent=metric.is_percent, has_epochs=True)
        self.plot.setObjectName(metric.object_name)
        self.plot.setAccessibleName(f"{metric.title} over the epochs")
        self.plot.setToolTip("")
        self.legend = Legend()
        self._title = Label(metric.title, "strong")
        self._title.setToolTip(metric.help)
        self._compose()
        self._make_items()
        self._show_legend()
        self._restyle()
        self.legend.toggled.connect(self.draw)
        for name in ("hovered", "range_wanted", "reset_wanted", "menu_wanted"):
            getattr(self.plot, name).connect(getattr(self, name))
        theme().changed.connect(self._restyle)

    def _compose(self) -> None:
        head = self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        head.setSpacing(_HEAD_GAP)
        head.addWidget(self._title)
        head.addWidget(self.legend, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.plot, 1)

    @property
    def head_width(self) -> int:
        """What title and legend need side by side, if each line of the legend has a name."""
        return self._title.sizeHint().width() + _HEAD_GAP + self.legend.named_width

    def stack_head(self, stacked: bool, *, as_list: bool = False) -> None:
        """Puts the legend below the title, or beside it; with `as_list`, one line below the other."""
        self.legend.set_list(as_list)
        directions = QBoxLayout.Direction
        self._head.setDirection(directions.TopToBottom if stacked else directions.LeftToRight)
        self._head.setSpacing(0 if stacked else _HEAD_GAP)

    def _make_items(self) -> None:
        self.gap = Area()
        self.steps = Curve()
        # These have few points, so that antialiasing costs little.
        self.trend = DottedCurve(maximum=1, antialias=True)
        self.means = DottedCurve(antialias=True)
        self.validation = DottedCurve(antialias=True)
        items = ((1, self.steps), (2, self.gap), (20, self.trend), (21, self.means), (22, self.validation))
        self._own = tuple(item for _, item in items)
        for depth, item in items:
            item.setZValue(depth)
            self.plot.addItem(item, ignoreBounds=True)
        self.others: list[DottedCurve] = []

    def _restyle(self, _: object = None) -> None:
        style = theme()
        self._title.setFont(style.font("strong"))
        self.plot.restyle()
        # pyqtgraph's pens are cosmetic: their widths are in device pixels.
        thin = self._pen_width
        for item in (self.trend, self.means):
            item.set_line(pg.mkPen(style.color("training"), width=2 * thin))
        self.validation.set_line(pg.mkPen(style.color("validation"), width=2 * thin))
        gap = QColor(style.color("validation"))
        gap.setAlphaF(_GAP_ALPHA)
        self.gap.set_color(gap)
        self.legend.restyle()
        self._drawn = self._drawn_look = None
        if self.isVisible():
            self.draw()

    @property
    def _pen_width(self) -> float:
        """The device pixels of a line that is one pixel wide."""
        return self.devicePixelRatioF() * self._pen_scale

    # What is shown

    def show_content(self, content: PlotContent) -> None:
        """Shows curves. What was drawn is not drawn again, and what nobody would see only a moment later."""
        before, self.content = self.content, content
        if content.curves is not before.curves or content.options.log != before.options.log:
            self._ranges = ValueRanges(self.quantity, log=self._log)
        if content.curves is not before.curves:
            self._zoom = self._values = None
        if content.options != before.options or content.companions != before.companions:
            self._show_legend()
        if self._drawn == content.version or not self.isVisible():
            return
        if self._look() != self._drawn_look:
            self.draw()
        elif not self._late_draw.isActive():
            self._late_draw.start()

    def _show_legend(self) -> None:
        is_compared = any(each.token is None for each in self.content.companions)
        sample = f"{self.quantity.sample} / {self.quantity.sample}" if is_compared else self.quantity.sample
        self.legend.show_entries(entries_of(self.quantity, self.content.options), sample)

    def zoom_to(self, epochs: Range | None, values: Range | None = None) -> None:
        """Shows a range of epochs, or all for None, and a range of the axis of values, or what fits."""
        self._zoom, self._values = epochs, values
        self._ranges.forget_zoom()
        self._drawn = self._drawn_look = None
        if self.isVisible():
            self.draw()

    @property
    def is_zoomed(self) -> bool:
        return self._zoom is not None or self._values is not None

    @property
    def _log(self) -> bool:
        return self.content.options.log and self.quantity.has_log

    def _look(self) -> object:
        """Changes whenever the plot would visibly change: in a long run many steps share one pixel."""
        content, curves = self.content, self.content.curves
        low, high = self.plot.x_range
        end = curves.steps.x[-1] if len(curves.steps) else low
        column = int(self._pixels * (min(end, high) - low) / (high - low))
        others = tuple((id(each.history), each.history.version, each.factor) for each in content.companions)
        parts = (content.epochs, content.hint, content.marks, content.options, others)
        return curves, column, len(curves.epochs), len(curves.validation), parts

    # Drawing

    def draw(self) -> None:
        """Draws the visible part of the curves."""
        self._late_draw.stop()
        content, curves, hidden = self.content, self.content.curves, self.legend.hidden
        self._drawn = content.version
        self.training = training_line(self.quantity, curves, content.options)
        self.plot.hint = content.reason_for_nothing(self.quantity.name)
        self.plot.value_axis.is_log = self._log
        self._pixels = max(int(self.plot.plot_area().width() * self.devicePixelRatioF()), 16)
        shows_training, shows_validation = "training" not in hidden, "validation" not in hidden
        validation = (curves.validation.x.copy(), curves.validation.y.copy())
        others = self._draw_others(content.companions, hidden)
        shown = [self.training] if shows_training else []
        shown += [validation] if shows_validation else []
        self._fit(shown, others)
        self._drawn_look = self._look()
        self._draw_steps(shows_training)
        # Thick lines of many points would take longest to draw.
        span, most = self.plot.x_range, self._pixels // _PIXELS_PER_POINT
        bold = self._on_axis(thinned(self.training, span, most)) if shows_training else NO_POINTS
        if len(validation[0]) > most:
            validation = curves.validation.envelope(*span, most)
        is_means = self.is_of_epochs
        self.trend.show_points(NO_POINTS if is_means else bold)
        self.means.show_points(bold if is_means else NO_POINTS)
        self.validation.show_points(self._on_axis(validation) if shows_validation else NO_POINTS)
        self._draw_gap(shows_validation and "gap" not in hidden)
        self.plot.marks = content.marks if content.options.marks else ()
        self._show_values()
        self.plot.mark_stale()

    @property
    def is_of_epochs(self) -> bool:
        """Whether the training line has the means of epochs."""
        return is_of_epochs(self.content.curves, self.content.options)

    def _on_axis(self, points: Points) -> Points:
        return points[0], to_axis(points[1], log=self._log)

    def _draw_steps(self, shown: bool) -> None:
        if not shown or self.is_of_epochs:
            self.steps.show_points(NO_POINTS)
            return
        bold, is_bold = theme().color("training"), not len(self.training[0])
        color = bold if is_bold else blended(bold, theme().color("panel"), _FAINT)
        # A thick line of very many points would take long to draw.
        width = 2 if is_bold and not self.quantity.is_smoothed else 1
        self.steps.set_line(pg.mkPen(color, width=width * self._pen_width))
        low, high = self.plot.x_range
        self.steps.show_points(self._on_axis(self.content.curves.steps.envelope(low, high, 2 * self._pixels)))

    def _draw_gap(self, shown: bool) -> None:
        curves, metric = self.content.curves, self.quantity
        areas = []
        if shown and metric.has_validation and self.content.options.gap:
            training = self.training if len(self.training[0]) else curves.trend.curve()
            validation = self._on_axis((curves.validation.x, curves.validation.y))
            is_finite = np.isfinite(validation[1])
            validation = validation[0][is_finite], validation[1][is_finite]
            areas = gap_areas(self._on_axis(training), validation, is_better_low=metric.is_better_low)
        self.gap.show_areas(areas)

    def _draw_others(self, companions: Sequence[Companion], hidden: frozenset[str]) -> list[Points]:
        """Draws the other runs and returns their lines."""
        lines: list[tuple[Points, str, Companion]] = []
        for each in companions:
            if each.token is not None:
                lines.append((each.validation(self.quantity.name), each.token, each))
                continue
            if "training" not in hidden:
                lines.append((each.training(self.quantity.name), "training", each))
            if "validation" not in hidden and self.quantity.has_validation:
                lines.append((each.validation(self.quantity.name), "validation", each))
        while len(self.others) > len(lines):
            self.plot.removeItem(self.others.pop())
        while len(self.others) < len(lines):
            item = DottedCurve(maximum=1, antialias=True)
            item.setZValue(10)
            self.plot.addItem(item, ignoreBounds=True)
            self.others.append(item)
        for item, (points, token, companion) in zip(self.others, lines, strict=True):
            width = companion.width * self._pen_width
            item.set_line(pg.mkPen(theme().color(token), width=width, style=companion.style))
            item.show_points(self._on_axis(points))
        return [points for points, _, _ in lines]

    def _fit(self, shown: list[Points], others: list[Points]) -> None:
        """Chooses the ranges: the whole run up to round numbers that seldom change, or what is zoomed to."""
        steps = (self.content.curves.steps.x, self.content.curves.steps.y)
        if not any(len(points[0]) for points in shown):
            shown = [steps]
        x = self._zoom or (0.0, float(self.content.epochs))
        if self._values is not None:
            y = self._values
        elif self._zoom is not None:
            y = self._ranges.inside(x, [*shown, steps], others)
        else:
            y = self._ranges.whole(shown, others)
        ranges = [list(x), list(y)]
        box = self.plot.getViewBox()
        if box.viewRange() != ranges:
            box.setRange(xRange=ranges[0], yRange=ranges[1], padding=0, disableAutoRange=False)

    # Values

    def set_cursor(self, epoch: float | None) -> None:
        """Shows the values at an epoch of the run; None for its end."""
        if epoch != self._cursor:
            self._cursor = epoch
            self._show_values()

    def set_hover(self, epoch: float | None) -> None:
        """Shows the values at the epoch under the mouse, in this plot or in another one."""
        if epoch != self._hover:
            self._hover = epoch
            self._show_values()

    def _show_values(self) -> None:
        """Shows the values under the mouse, else at the cursor, else the newest ones."""
        epoch = self._hover if self._hover is not None else self._cursor
        shown = math.inf if epoch is None else epoch
        curves, line = self.content.curves, None if self.is_of_epochs else self.training
        training, validation = training_at(curves, line, shown), validation_at(curves, shown)
        found = {"training": training, "validation": validation}
        texts = texts_at(self.quantity, found, self.content.companions, shown)
        self.legend.show_values(texts, epoch)
        self.plot.crosshair = self._crosshair(found) if self._hover is not None else None
        self.plot.cursor_epoch = self._cursor_line()
        marks = self.content.marks if self.plot.has_flags else ()
        description = summarize(self.quantity, curves, self.legend.text, marks) or self.content.hint
        self.plot.setAccessibleDescription(screen_reader_text(description))
        self.plot.viewport().update()

    def _cursor_line(self) -> float | None:
        """Where the line of the cursor is: at the chosen epoch, or at the end of a run that goes on."""
        position = self.content.position
        if self._cursor is None and 0 < position < self.content.epochs:
            return position
        return self._cursor

    def _crosshair(self, values: dict[str, float | None]) -> Crosshair:
        assert self._hover is not None
        hover, content = self._hover, self.content
        place, here = f"epoch {hover:.2f}".removesuffix(".00"), ""
        if not content.options.per_epoch and len(content.curves.steps):
            place += f" · step {round(hover * content.steps_per_epoch):,}"
            step = content.curves.steps.at(hover)
            if len(self.training[0]) and step is not None and values["training"] is not None:
                here = f"this step {self.quantity.format(step)}"
        series = content.curves.validation
        is_at_validation = len(series) and np.abs(series.x - hover).min() < 1e-6
        dots = [
            (float(to_axis(np.array([value]), log=self._log)[0]), token)
            for token, value in values.items()
            if value is not None
            and token not in self.legend.hidden
            and (token == "training" or is_at_validation)
        ]
        return Crosshair(hover, place, here, tuple(dot for dot in dots if math.isfinite(dot[0])))

    # Files

    def prepare_export(self, scale: float) -> tuple[float | None, bool]:
        """Takes away what only the window needs; `end_export` with the result brings it back."""
        self._pen_scale = scale
        self._restyle()
        state = (self._hover, not self.plot.reset_button.isHidden())
        self.set_hover(None)
        self.plot.show_reset(False)
        self.plot.set_cached(False)
        # A file of drawing commands has no clipping.
        for item in (*self._own, *self.others):
            item.clip(self.plot.x_range, self.plot.y_range)
        return state

    def end_export(self, state: tuple[float | None, bool]) -> None:
        hover, is_zoomed = state
        self.plot.set_cached(True)
        self.plot.show_reset(is_zoomed)
        self._pen_scale = 1.0
        self._restyle()
        self.set_hover(hover)

    # Events

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._restyle()
        return bool(super().event(event))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.draw()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._late_draw.stop()
