"""Draws the feature maps of one layer; for the last layer, the class probabilities as bars."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)

from cnnstudio.core.formatting import format_value
from cnnstudio.gui.dashboard.maps.mosaic import EDGE, Grid, fit, mosaic, sharp, stretched, zoomed
from cnnstudio.gui.theme.colormaps import color_map
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import grid_step, is_enter, is_plain, zoom_factor
from cnnstudio.gui.widgets.canvas.marks import paint_choice, paint_focus
from cnnstudio.gui.widgets.canvas.zoomed_grid import ZoomedGrid
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import color_image
from cnnstudio.insight.maps import FeatureMaps

_BAR_ROW = 18
_LARGEST_ZOOM = 6.0
_LABELED_WIDTH = 40
"""Pixels from which a dead map has a label."""


class MapGrid(ZoomedGrid):
    """Draws all visible maps as a single image: hundreds of separate draw calls would take too long.

    An arrow key chooses a map; a click chooses it too, and like Enter asks to enlarge it. Ctrl + wheel, + and
    − zoom.
    """

    map_chosen = Signal(object)
    """The index of the map that the user chose, or None."""
    map_activated = Signal(object)
    """The index of a map that the user wants to see enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("featureMaps")
        self.setMinimumSize(160, 90)
        # Painted completely, so that Qt does not paint all panels below it first.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._maps: FeatureMaps | None = None
        self._scale_per_map = False
        self._by_activity = True
        self._order_key: object = None
        self._colors = "gray"
        self._levels = np.empty((0, 1, 1), np.uint8)
        self._classes: tuple[str, ...] = ()
        self._hint = ""
        self.hint_tone = "secondary"
        """The token of the hint's color."""
        self._grid: Grid | None = None
        theme().changed.connect(self._on_theme_changed)

    def show_maps(self, maps: FeatureMaps, classes: tuple[str, ...] = (), moment: object = None) -> None:
        """Shows maps. If `classes` are given, one for each value, shows the class probabilities as bars.

        As long as layer, image and `moment` stay the same, so does the order of the maps.
        """
        self._maps, self._hint = maps, ""
        self._classes = tuple(plain_line(name) for name in classes)
        key = (maps.node_id, maps.image, maps.maps.shape, moment, self._by_activity)
        if key != self._order_key:
            self._order_key = key
            # The values of a flat layer are read like a vector: they stay at their places.
            is_ordered = self._by_activity and maps.maps[0].size > 1
            self._order = _by_activity(maps) if is_ordered else np.arange(len(maps.maps))
        self._update_levels()
        self._arrange()

    def set_scale_per_map(self, per_map: bool) -> None:
        """Stretches each map to the full range of grays, or draws all maps on a shared scale."""
        self._scale_per_map = per_map
        self._update_levels()
        self.viewport().update()

    def _update_levels(self) -> None:
        if self._maps is not None:
            levels = stretched(self._maps.maps) if self._scale_per_map else self._maps.maps
            self._levels = levels[self._order]

    def set_by_activity(self, by_activity: bool) -> None:
        """Shows the most active map first and dead ones last, or all in the order of their numbers."""
        self._by_activity = by_activity
        if self._maps is not None:
            self._order_key = None
            self.show_maps(self._maps, self._classes)

    def set_color_map(self, key: str) -> None:
        """Draws in one of theme.colormaps.COLOR_MAPS."""
        self._colors = key
        self.viewport().update()

    @property
    def color_map(self) -> str:
        """The key of the color map."""
        return self._colors

    @property
    def index(self) -> int | None:
        """The chosen map; None if these maps have none of that number."""
        count = 0 if self._maps is None else len(self._maps.maps)
        return self._index if self._index is not None and self._index < count else None

    def choose(self, index: int | None) -> None:
        """Marks a map without telling anybody."""
        if index != self._index:
            self._index = index
            self.viewport().update()

    def _choose(self, index: int | None) -> None:
        self.choose(index)
        if index is not None:
            self._scroll_to(index)
        self.map_chosen.emit(index)

    def _zoom_to(self, zoom: float) -> None:
        self._zoom = min(max(zoom, 1.0), _LARGEST_ZOOM)
        self._arrange()

    def show_hint(self, hint: str, *, is_error: bool = False) -> None:
        """Shows a hint instead of maps, or why there are none."""
        self._maps, self._hint = None, hint
        self.hint_tone = "wrong" if is_error else "secondary"
        self._arrange()

    @property
    def maps(self) -> FeatureMaps | None:
        """The maps that are shown."""
        return self._maps

    @property
    def hint(self) -> str:
        return self._hint

    # Layout

    @property
    def _ratio(self) -> float:
        return float(self.devicePixelRatioF())

    def _arrange(self) -> None:
        """Fits the cells into the available size; if even the smallest do not fit, they are scrolled."""
        available = self.maximumViewportSize()
        if self._maps is None:
            self._grid, height = None, 0
        elif self._classes:
            self._grid, height = None, _BAR_ROW * len(self._classes)
        else:
            count, rows, columns = self._maps.maps.shape
            ratio = self._ratio
            width, space = available.width() - 2, int((available.height() - 4) * ratio)
            grid = fit(count, rows / columns, int(width * ratio), space, ratio, (rows, columns))
            if self._zoom > 1 or grid.total_height / ratio > available.height():
                scrolled = int((width - self.verticalScrollBar().sizeHint().width()) * ratio)
                if self._zoom > 1:
                    grid = zoomed(grid, scrolled, self._zoom)
                else:
                    grid = fit(count, rows / columns, scrolled, 0, ratio)
            self._grid = sharp(grid, rows, columns)
            height = math.ceil(self._grid.total_height / ratio) + 4
        self.verticalScrollBar().setRange(0, max(height - available.height(), 0))
        self.verticalScrollBar().setPageStep(available.height())
        self.verticalScrollBar().setSingleStep(_BAR_ROW)
        self.viewport().update()

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(event.rect(), theme().color("panel"))
            self._paint(painter)
        finally:
            # A painter that an error leaves open ends the process.
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        if self._maps is None:
            painter.setFont(theme().font("help"))
            painter.setPen(theme().color(self.hint_tone))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(8, 0, -8, 0), int(flags), self._hint)
        elif self._grid is None:
            self._paint_bars(painter, self._maps)
        else:
            self._paint_maps(painter, self._maps, self._grid)

    def _paint_maps(self, painter: QPainter, maps: FeatureMaps, grid: Grid) -> None:
        ratio, top = self._ratio, self.verticalScrollBar().value() - 2
        row = grid.height + grid.gap
        first = max(int(top * ratio) // row, 0)
        last = min(math.ceil((top + self.viewport().height()) * ratio / row), grid.rows)
        if last <= first:
            return
        colors = int(theme().color("panel").rgb()), int(theme().color("border").rgb())
        pixels = mosaic(self._levels, grid, first, last, color_map(self._colors), colors)
        image = color_image(pixels)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(QPointF(1 - EDGE / ratio, (first * row - EDGE) / ratio - top), image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("wrong"), 1.5))
        dead = set(maps.dead)
        for place in range(first * grid.columns, min(last * grid.columns, len(self._order))):
            if int(self._order[place]) in dead:
                self._paint_dead(painter, self._cell(grid, place))
        if self.index is not None:
            cell = self._cell(grid, self.order.index(self.index))
            paint_choice(painter, cell.adjusted(-1.5, -1.5, 1.5, 1.5))
        elif self.hasFocus():
            paint_focus(painter, QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1))

    def _paint_dead(self, painter: QPainter, cell: QRectF) -> None:
        """A red frame, and the word where there is room: no meaning by color alone."""
        painter.setPen(QPen(theme().color("wrong"), 1.5))
        painter.drawRoundedRect(cell.adjusted(-0.75, -0.75, 0.75, 0.75), 2, 2)
        if cell.width() >= _LABELED_WIDTH:
            label = text_metrics(theme().font("help"))
            painter.setFont(label.font)
            painter.setPen(Qt.GlobalColor.white)
            x = cell.center().x() - label.width("dead") / 2
            painter.drawText(QPointF(x, label.baseline(cell.bottom() - 9)), "dead")

    def _cell(self, grid: Grid, place: int) -> QRectF:
        """The area in the viewport of the map at a place."""
        ratio, (left, top) = self._ratio, grid.corner(place)
        offset = 2 - self.verticalScrollBar().value()
        return QRectF(left / ratio + 1, top / ratio + offset, grid.width / ratio, grid.height / ratio)

    def _paint_bars(self, painter: QPainter, maps: FeatureMaps) -> None:
        style, shares = theme(), probabilities(maps)
        painter.setFont(style.font("help"))
        metrics = painter.fontMetrics()
        longest = max(metrics.horizontalAdvance(name) for name in self._classes) + 4
        names = min(longest, self.viewport().width() // 3)
        numbers = metrics.horizontalAdvance("100%") + 8
        bar_width = max(self.viewport().width() - names - numbers - 20, 8)
        height = max(_BAR_ROW, min(self.viewport().height() // len(self._classes), 26))
        best = int(np.argmax(shares))
        for index, (name, share) in enumerate(zip(self._classes, shares, strict=True)):
            y = index * height - self.verticalScrollBar().value()
            line = QRectF(0, y, names, height)
            painter.setPen(style.color("text" if index == best else "secondary"))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
            bar = QRectF(names + 10, y + height / 2 - 4, bar_width, 8)
            painter.fillRect(bar, style.color("grid"))
            painter.fillRect(QRectF(bar.left(), bar.top(), max(bar_width * share, 1), 8), style.color("core"))
            number = QRectF(bar.right() + 4, y, numbers, height)
            flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(number, flags, f"{100 * share:.0f}%")

    # Mouse and keys

    def _scroll_to(self, index: int) -> None:
        if self._grid is None:
            return
        cell, bar = self._cell(self._grid, self.order.index(index)), self.verticalScrollBar()
        if cell.top() < 2:
            bar.setValue(bar.value() + math.floor(cell.top()) - 2)
        elif cell.bottom() > self.viewport().height() - 2:
            bar.setValue(bar.value() + math.ceil(cell.bottom()) - self.viewport().height() + 2)

    def center_of(self, index: int) -> QPointF:
        """The middle of a map in the viewport, for a click."""
        assert self._grid is not None
        return self._cell(self._grid, self.order.index(index)).center()

    def _at(self, position: QPointF) -> int | None:
        """The index of the map under a point of the viewport."""
        if self._maps is None or self._grid is None:
            return None
        ratio = self._ratio
        y = (position.y() - 2 + self.verticalScrollBar().value()) * ratio
        place = self._grid.at((position.x() - 1) * ratio, y)
        return None if place is None else int(self._order[place])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._grid is not None:
            self._choose(self._at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        # Not already when it is pressed: the release would go to the enlarged map.
        index = self._at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and index is not None and index == self.index:
            self.map_activated.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = grid_step(event, 1 if self._grid is None else self._grid.columns)
        if self._grid is None or not (is_plain(event) or zoom_factor(event)):
            super().keyPressEvent(event)
        elif step is not None:
            self._go(step)
        elif is_enter(event) and self.index is not None:
            self.map_activated.emit(self.index)
        elif event.key() == Qt.Key.Key_Escape and self.index is not None:
            self._choose(None)
        elif not self._zoom_by_key(event):
            super().keyPressEvent(event)

    def describe(self, index: int) -> str:
        """`Map 3 of 64: 0 to 2.1`."""
        assert self._maps is not None
        values = self._maps.low + self._maps.maps[index] / 255.0 * (self._maps.high - self._maps.low)
        if self._maps.values is not None:
            values = self._maps.values[index]
        count = len(self._maps.maps)
        low, high = format_value(float(values.min())), format_value(float(values.max()))
        if values.size == 1:
            text = f"Value {index + 1} of {count}: {high}"
        else:
            text = f"Map {index + 1} of {count}: {low} to {high}"
        return f"{text} · dead: always 0" if index in self._maps.dead else text


def _by_activity(maps: FeatureMaps) -> np.ndarray:
    """The indexes of the maps, the one with the largest mean first and dead ones last: intp (K,)."""
    activity = maps.maps.reshape(len(maps.maps), -1).mean(axis=1)
    activity[list(maps.dead)] = -1.0
    return np.argsort(-activity, kind="stable")


def probabilities(maps: FeatureMaps) -> np.ndarray:
    """The softmax of the last layer's K values: float64 (K,), with the sum 1."""
    if maps.values is not None:
        scores = maps.values.astype(np.float64)
    else:
        # An old snapshot, which has levels only.
        scores = maps.low + maps.maps.reshape(-1) / 255.0 * (maps.high - maps.low)
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
