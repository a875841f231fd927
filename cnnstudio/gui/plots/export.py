"""Plots as images, drawings and tables, and the entries of their menus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QPoint, QRect
from PySide6.QtGui import QAction, QPainter, QPixmap, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from cnnstudio.core.csv_file import Cell, csv_bytes
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.plots.curve_plot import CurvePlot
from cnnstudio.gui.plots.drawing.items import Points
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.images.saving import choose_file, png_bytes, write_file
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.plain_text import plain_line

_SCALE = 2.0
"""Pixels of a saved image for each of the window's: printed, they would be too few."""
_HEAD = ("metric", "series", "epoch", "value")

Lines = list[tuple[str, str, np.ndarray, np.ndarray]]
"""Metric, series, epochs and values, float64 (N,) each."""


@dataclass(frozen=True)
class PlotMenu:
    """What one can do with plots that stand together, or with one of them."""

    title: str
    widget: QWidget
    """What an image shows."""
    plots: Sequence[CurvePlot]
    reset_zoom: Callable[[], object]
    say: Callable[[Message], object]
    """Shows what came of saving."""

    def fill(self, menu: QMenu) -> None:
        """Adds the entries."""
        is_drawn = any(not plot.plot.hint for plot in self.plots)
        is_zoomed = any(plot.is_zoomed for plot in self.plots)
        entries: tuple[tuple[str, str, Callable[[], object], bool], ...] = (
            ("resetZoom", "Reset zoom", self.reset_zoom, is_zoomed),
            ("copyImage", "Copy image", self._copy, is_drawn),
            ("savePng", "Save as PNG…", self._save_png, is_drawn),
            ("saveSvg", "Save as SVG…", self._save_svg, is_drawn),
            ("saveCsv", "Save as CSV…", self._save_csv, is_drawn),
        )
        for name, title, slot, enabled in entries:
            action = QAction(title, menu)
            action.setObjectName(name)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
            menu.addAction(action)
            if name == "resetZoom":
                menu.addSeparator()

    def _copy(self) -> None:
        QApplication.clipboard().setPixmap(pixmap_of(self.widget, self.plots))

    def _save_png(self) -> None:
        # Taken before the dialog opens: the training moves on meanwhile.
        self._save("PNG image (*.png)", ".png", png_bytes(pixmap_of(self.widget, self.plots)))

    def _save_svg(self) -> None:
        self._save("SVG drawing (*.svg)", ".svg", svg_bytes(self.widget, self.plots, self.title))

    def _save(self, kinds: str, suffix: str, data: bytes) -> None:
        path = choose_file(self.widget, self.title, kinds, suffix)
        if path is not None:
            self.say(write_file(path, data))

    def _save_csv(self) -> None:
        lines = lines_of(self.plots)
        path = choose_file(self.widget, self.title, "CSV table (*.csv)", ".csv")
        if path is None:
            return
        # In a thread: there may be millions of rows.
        task = IoTask(
            lambda progress, cancelled: write_file(path, csv_bytes(_rows(lines))),
            _parent(self.widget),
            writes_files=True,
        )
        task.done.connect(self.say)
        task.failed.connect(lambda text: self.say(Message(str(text), is_error=True)))
        task.start()


def _parent(widget: QWidget) -> QObject:
    return widget.window()


def pixmap_of(widget: QWidget, plots: Sequence[CurvePlot]) -> QPixmap:
    """The widget as an image, larger than on the screen, on the color of its panel."""
    ratio = max(_SCALE, widget.devicePixelRatioF())
    pixmap = QPixmap(widget.size() * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(theme().color("panel"))
    with QPainter(pixmap) as painter:
        _render(widget, plots, painter, ratio / widget.devicePixelRatioF())
    return pixmap


def svg_bytes(widget: QWidget, plots: Sequence[CurvePlot], title: str) -> bytes:
    """The widget as an SVG drawing."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(widget.size())
    generator.setViewBox(QRect(QPoint(), widget.size()))
    generator.setTitle(title)
    with QPainter(generator) as painter:
        painter.fillRect(widget.rect(), theme().color("panel"))
        _render(widget, plots, painter)
    return bytes(data.data())


def _render(widget: QWidget, plots: Sequence[CurvePlot], painter: QPainter, scale: float = 1.0) -> None:
    """Without the mouse's traces, and with axes that are drawn, not copied from images."""
    states = [plot.prepare_export(scale) for plot in plots]
    try:
        widget.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    finally:
        for plot, state in zip(plots, states, strict=True):
            plot.end_export(state)


def lines_of(plots: Sequence[CurvePlot]) -> Lines:
    """Copies of all lines of the plots as they were recorded, also of those that are switched off."""
    return [
        (plot.quantity.title.lower(), name, x.copy(), y.copy())
        for plot in plots
        for name, (x, y) in _lines_of(plot)
        if len(x)
    ]


def _lines_of(plot: CurvePlot) -> list[tuple[str, Points]]:
    curves = plot.content.curves
    lines = [("training, each step", (curves.steps.x, curves.steps.y))]
    if not plot.is_of_epochs:
        lines.append(("training, smoothed", plot.training))
    lines.append(("training, mean of the epoch", (curves.epochs.x, curves.epochs.y)))
    lines.append(("validation", (curves.validation.x, curves.validation.y)))
    others = plot.content.companions
    return lines + [(plain_line(each.name), each.validation(plot.quantity.name)) for each in others]


def _rows(lines: Lines) -> Iterator[Sequence[Cell]]:
    yield _HEAD
    for metric, series, x, y in lines:
        for epoch, value in zip(x.tolist(), y.tolist(), strict=True):
            yield metric, series, round(epoch, 6), value
