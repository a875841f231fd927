"""The learning curves: plots of several metrics below each other, on one axis of epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.plots.content import PlotContent
from cnnstudio.gui.plots.curve_plot import CurvePlot
from cnnstudio.gui.plots.drawing.axes import Range
from cnnstudio.gui.plots.metrics import METRIC
from cnnstudio.gui.plots.options import CurveOptions
from cnnstudio.gui.runs.curves.metric_curves import MetricName
from cnnstudio.gui.runs.curves.series import Series
from cnnstudio.gui.runs.history import RunHistory

_MIN_EPOCHS = 1e-3
"""The smallest range of epochs that one can zoom to."""
_SNAP_PIXELS = 3
_HINTS: dict[MetricName, str] = {
    "loss": "Press Train (F5) to see the loss fall",
    "accuracy": "Press Train (F5) to see the accuracy rise",
}
_NOT_RECORDED = "This run did not record it."


class LearningView(QWidget):
    """The plots of a run. Hovering over one shows the values at that epoch in all, and zoom is shared."""

    hovered = Signal(object)
    """The epoch that is looked at with the mouse, or None."""
    menu_wanted = Signal(object, object)
    """The CurvePlot for which a menu is wanted, and the global position."""

    def __init__(self, prefix: str = "", hint: str = "") -> None:
        """`prefix` is that of the plots' object names, and `hint` is written into plots without curves."""
        super().__init__()
        self._prefix = prefix
        self._own_hint = hint
        self.options = CurveOptions()
        self._duration = ""
        self.companions: tuple[Companion, ...] = ()
        self.hover: float | None = None
        self._history = RunHistory()
        self._cursor: float | None = None
        self._range: Range | None = None
        self._shown: tuple[int, bool] = (1, False)
        self._end = 1
        """Where the axis of epochs ends."""
        self._plots: dict[MetricName, CurvePlot] = {}
        self._legends_at: tuple[bool, bool] | None = None
        """Whether the legends stand below the titles, and as lists; None: that has to be found out."""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        # Other programs look for these two from the start; the others are made when they are first wanted.
        self.loss, self.accuracy = self._plot("loss"), self._plot("accuracy")
        self._arrange()

    def _plot(self, name: MetricName) -> CurvePlot:
        if name not in self._plots:
            plot = self._plots[name] = CurvePlot(METRIC[name])
            plot.setParent(self)
            plot.plot.setObjectName(f"{self._prefix}{plot.plot.objectName()}")
            plot.hide()
            plot.hovered.connect(self._on_hovered)
            plot.range_wanted.connect(lambda epochs, values: self._on_range(plot, epochs, values))
            plot.reset_wanted.connect(self.reset_zoom)
            plot.legend.columns_changed.connect(self._place_legends)
            plot.menu_wanted.connect(lambda position: self.menu_wanted.emit(plot, position))
        return self._plots[name]

    @property
    def shown_plots(self) -> list[CurvePlot]:
        """The plots from top to bottom."""
        return [self._plot(name) for name in self.options.plots]

    def _arrange(self) -> None:
        for plot in self._plots.values():
            self._column.removeWidget(plot)
            plot.setVisible(plot.quantity.name in self.options.plots)
        for plot in self.shown_plots:
            self._column.addWidget(plot, 1)
            plot.plot.show_epochs(plot is self.shown_plots[-1])
            plot.plot.show_flags(self.options.marks and plot is self.shown_plots[0])
            plot.show()
        legends = tuple(plot.legend for plot in self.shown_plots)
        for plot in self._plots.values():
            plot.legend.peers = legends if plot.legend in legends else ()
            plot.legend.fit_columns()
        self._legends_at = None
        self._place_legends()

    def _place_legends(self) -> None:
        """Below the titles where some line would lose its name beside them; the same in all plots."""
        stacked = any(plot.head_width > self.width() for plot in self.shown_plots)
        as_list = any(plot.legend.named_width > self.width() for plot in self.shown_plots)
        if (stacked, as_list) != self._legends_at:
            self._legends_at = stacked, as_list
            for plot in self.shown_plots:
                plot.stack_head(stacked, as_list=as_list)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_legends()

    # What is shown

    def set_options(self, options: CurveOptions) -> None:
        """Shows the same curves in another way."""
        before, self.options = self.options, options
        if (options.plots, options.marks) != (before.plots, before.marks):
            for plot in self.shown_plots:
                plot.zoom_to(self._range)
            self._arrange()
        self._show()

    def set_companions(self, companions: Sequence[Companion]) -> None:
        """Draws other runs beside the one on show, from the next time on."""
        self.companions = tuple(companions)

    def show_history(self, history: RunHistory, epochs: int, live: bool) -> None:
        """Draws the curves if they have changed and are visible; the axes end at `epochs`."""
        if history is not self._history:
            self._range = None
        self._history, self._shown = history, (epochs, live)
        self._show()

    def _show(self) -> None:
        history, (epochs, live) = self._history, self._shown
        # Those that the user chose are in sight to their ends.
        chosen = [each.end for each in self.companions if each.overlay and not each.overlay.is_previous]
        epochs = self._end = max([epochs, *(math.ceil(end - 1e-9) for end in chosen)])
        others = tuple((id(each.history), each.history.version, each.factor) for each in self.companions)
        version = (history, history.version, epochs, live, self.options, others, self._duration)
        marks = tuple(history.all_marks)
        for plot in self.shown_plots:
            name = plot.quantity.name
            plot.show_content(
                PlotContent(
                    curves=history.curves[name],
                    epochs=epochs,
                    hint=self._hint(name, live),
                    marks=marks,
                    companions=self.companions,
                    options=self.options,
                    steps_per_epoch=history.started.steps_per_epoch if history.started else 1,
                    position=history.position if live else 0.0,
                    version=version,
                )
            )
            plot.set_cursor(self._cursor)
        self._show_way_back()

    def _hint(self, name: MetricName, live: bool) -> str:
        if self._own_hint:
            return self._own_hint
        if not self._history.is_empty:
            return _NOT_RECORDED
        if live:
            return "Waiting for the first steps…"
        hint = _HINTS.get(name, "Press Train (F5) to see it")
        is_first = name == self.shown_plots[0].quantity.name
        return f"Press Train (F5): about {self._duration} here" if is_first and self._duration else hint

    def show_duration(self, duration: str) -> None:
        """How long a training would take on this machine, such as `50 s`; empty if it is not known."""
        if duration != self._duration:
            self._duration = duration
            self._show()

    def set_cursor(self, epoch: float | None) -> None:
        """Shows the values at an epoch; None for the end."""
        self._cursor = epoch
        for plot in self.shown_plots:
            plot.set_cursor(epoch)

    # Mouse

    def _on_hovered(self, epoch: object) -> None:
        hover = self._nearest(epoch) if isinstance(epoch, float) else None
        if hover == self.hover:
            return
        self.hover = hover
        for plot in self.shown_plots:
            plot.set_hover(hover)
        self.hovered.emit(hover)

    def _nearest(self, epoch: float) -> float | None:
        """The step or epoch nearest to that place; None beyond the curves."""
        plot = self.shown_plots[0].plot
        low, high = plot.x_range
        pixel = (high - low) / max(plot.plot_area().width(), 1)
        end = max([self._history.position, *(each.end for each in self.companions)])
        if not 0 <= epoch <= end + _SNAP_PIXELS * pixel:
            return None
        epoch = min(epoch, end)
        curves = self._history.loss
        whole = _nearest_of(curves.validation, epoch)
        if whole is not None and (self.options.per_epoch or abs(whole - epoch) <= _SNAP_PIXELS * pixel):
            return whole if abs(whole - epoch) <= 1 or not self.companions else float(round(epoch))
        step = _nearest_of(curves.steps, epoch)
        is_near = step is not None and abs(step - epoch) <= max(_SNAP_PIXELS * pixel, 1e-9)
        return step if is_near else epoch

    # Zoom

    @property
    def is_zoomed(self) -> bool:
        return any(plot.is_zoomed for plot in self.shown_plots)

    def reset_zoom(self) -> None:
        """Shows the whole run again."""
        self._range = None
        for plot in self._plots.values():
            plot.zoom_to(None)
        self._show_way_back()

    def _show_way_back(self) -> None:
        """A button in the uppermost plot."""
        is_zoomed, first = self.is_zoomed, self.shown_plots[0]
        for plot in self._plots.values():
            plot.plot.show_reset(is_zoomed and plot is first)

    def _on_range(self, plot: CurvePlot, epochs: Range, values: Range | None) -> None:
        end = float(self._end)
        width = min(max(epochs[1] - epochs[0], _MIN_EPOCHS), end)
        low = min(max(epochs[0], 0.0), end - width)
        self._range = (low, low + width) if width < end * (1 - 1e-9) else None
        if self._range is None and values is None:
            self.reset_zoom()
            return
        for each in self.shown_plots:
            each.zoom_to(self._range, values if each is plot else None)
        self._show_way_back()


def _nearest_of(series: Series, x: float) -> float | None:
    """The x of the point nearest to that place."""
    if not len(series):
        return None
    index = int(np.searchsorted(series.x, x))
    around = series.x[max(index - 1, 0) : index + 1]
    return float(around[np.abs(around - x).argmin()])
