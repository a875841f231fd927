"""Draws the feature maps of one layer; for the last layer, the class probabilities as bars."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QSizePolicy, QToolTip

from cnnstudio.gui.dashboard.maps.mosaic import EDGE, Grid, fit, mosaic, stretched
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.maps import FeatureMaps

_BAR_ROW = 18
_GRAYS = (0xFF000000 + 0x010101 * np.arange(256)).astype(np.uint32)


class MapGrid(QAbstractScrollArea):
    """Draws all visible maps as a single image: hundreds of separate draw calls would take too long."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("featureMaps")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        # Painted completely, so that Qt does not paint all panels below it first.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._maps: FeatureMaps | None = None
        self._scale_per_map = False
        self._levels = np.empty((0, 1, 1), np.uint8)
        self._classes: tuple[str, ...] = ()
        self._hint = ""
        self._grid: Grid | None = None
        theme().changed.connect(self._on_theme_changed)

    def show_maps(self, maps: FeatureMaps, classes: tuple[str, ...] = ()) -> None:
        """Shows maps. If `classes` are given, one for each value, shows the class probabilities as bars."""
        self._maps, self._hint = maps, ""
        self._classes = tuple(plain_line(name) for name in classes)
        self._update_levels()
        self._arrange()

    def set_scale_per_map(self, per_map: bool) -> None:
        """Stretches each map to the full range of grays, or draws all maps on a shared scale."""
        self._scale_per_map = per_map
        self._update_levels()
        self.viewport().update()

    def _update_levels(self) -> None:
        if self._maps is not None:
            self._levels = stretched(self._maps.maps) if self._scale_per_map else self._maps.maps

    def show_hint(self, hint: str) -> None:
        """Shows a hint instead of maps."""
        self._maps, self._hint = None, hint
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
            self._grid = fit(count, rows / columns, int(width * ratio), space, ratio)
            if self._grid.total_height / ratio > available.height():
                bar = self.verticalScrollBar().sizeHint().width()
                self._grid = fit(count, rows / columns, int((width - bar) * ratio), 0, ratio)
            height = math.ceil(self._grid.total_height / ratio) + 4
        self.verticalScrollBar().setRange(0, max(height - available.height(), 0))
        self.verticalScrollBar().setPageStep(available.height())
        self.verticalScrollBar().setSingleStep(_BAR_ROW)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
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
            painter.setPen(theme().color("secondary"))
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
        pixels = mosaic(self._levels, grid, first, last, _GRAYS, colors)
        height, width = pixels.shape
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(QPointF(1 - EDGE / ratio, (first * row - EDGE) / ratio - top), image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("wrong"), 1.5))
        for index in maps.dead:
            if first <= index // grid.columns < last:
                painter.drawRoundedRect(self._cell(grid, index).adjusted(-0.75, -0.75, 0.75, 0.75), 2, 2)

    def _cell(self, grid: Grid, index: int) -> QRectF:
        """A cell's area in the viewport."""
        ratio, (left, top) = self._ratio, grid.corner(index)
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

    # Tooltips

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.text_at(event.pos())
            if text:
                QToolTip.showText(event.globalPos(), text, self.viewport())
            else:
                QToolTip.hideText()
            return True
        return bool(super().viewportEvent(event))

    def text_at(self, position: QPoint) -> str:
        """The tooltip for the map under a point of the viewport; empty if there is none."""
        if self._maps is None or self._grid is None:
            return ""
        ratio = self._ratio
        y = (position.y() - 2 + self.verticalScrollBar().value()) * ratio
        index = self._grid.at((position.x() - 1) * ratio, y)
        if index is None:
            return ""
        values = self._maps.low + self._maps.maps[index] / 255.0 * (self._maps.high - self._maps.low)
        if self._maps.values is not None:
            values = self._maps.values[index]
        count = len(self._maps.maps)
        if values.size == 1:
            text = f"Value {index + 1} of {count}: {float(values.max()):.3g}"
        else:
            text = f"Map {index + 1} of {count}: {float(values.min()):.3g} to {float(values.max()):.3g}"
        return f"{text} · dead: always 0" if index in self._maps.dead else text


def probabilities(maps: FeatureMaps) -> np.ndarray:
    """The softmax of the last layer's K values: float64 (K,), with the sum 1."""
    if maps.values is not None:
        scores = maps.values.astype(np.float64)
    else:
        # An old snapshot, which has levels only.
        scores = maps.low + maps.maps.reshape(-1) / 255.0 * (maps.high - maps.low)
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
