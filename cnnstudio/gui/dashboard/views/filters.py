"""The filters of a convolution: its kernels as images, their norms, and their change since another epoch."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent, format_value, pluralize
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.maps.feature_maps import describe_layer
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.kernel_grid import KernelGrid, kernel_image
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line
from cnnstudio.insight.instruments.filters import FiltersReading
from cnnstudio.layers.base import Family

_FOOT_HEIGHT = 72


class FiltersView(View):
    """All kernels above; the chosen one with all its channels below."""

    name = "viewFilters"
    title = "Filters"
    help = (
        "Each tile is one kernel of the chosen convolution: blue weights are positive, orange ones negative. "
        "The first layer looks at the image itself, so its kernels are shown in the colors that they respond "
        "to. The bar below a kernel is its norm, or how much it changed since another epoch."
    )
    empty = "Shows the kernels of a convolution as images, once a run has started."
    order = 50

    def build(self) -> QWidget:
        self._reading: FiltersReading | None = None
        self._layer: str | None = None
        """The layer whose kernels are shown; another one may be chosen that has none."""
        self._problem = ""
        self.sorting = MenuChoice(
            "filterOrder", "Order", {"index": "by number", "norm": "by norm", "change": "by change"}
        )
        self.scale = MenuChoice(
            "filterScale",
            "Scale",
            {"each": "per filter", "shared": "shared"},
            "A scale per filter shows the pattern of weak filters; a shared one shows which are strong",
        )
        self.since = MenuChoice(
            "filterSince",
            "Change since",
            {"": "off", "start": "epoch 0", "previous": "the epoch before"},
        )
        for control in (self.sorting, self.scale):
            control.changed.connect(self._on_arrangement_changed)
        self.since.changed.connect(lambda _: self.refresh())
        self.grid = KernelGrid("filterGrid", "Filters")
        self.grid.chosen.connect(self._on_kernel_chosen)
        controls = QHBoxLayout()
        controls.setContentsMargins(16, 0, 16, 4)
        controls.setSpacing(8)
        for control in (self.sorting, self.scale, self.since):
            controls.addWidget(control)
        controls.addStretch(1)
        grid_row = QHBoxLayout()
        grid_row.setContentsMargins(12, 0, 4, 0)
        grid_row.addWidget(self.grid)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(4)
        column.addLayout(controls)
        column.addLayout(grid_row, 1)
        column.addWidget(Line())
        column.addWidget(self._build_foot())
        return content

    def _build_foot(self) -> QWidget:
        self.large = _ChannelTiles()
        self._foot_title = Label("", "strong")
        self._foot_details = ElidedLabel("", "help", "secondary")
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._foot_title)
        texts.addWidget(self._foot_details)
        texts.addStretch(1)
        place = QWidget()
        # The same with and without tiles, so that the kernels do not move.
        place.setFixedHeight(_FOOT_HEIGHT)
        foot = QHBoxLayout(place)
        foot.setContentsMargins(16, 4, 16, 0)
        foot.setSpacing(12)
        foot.addLayout(texts, 1)
        foot.addWidget(self.large, 2)
        return place

    # Drawing

    def draw(self, readings: MomentReadings) -> None:
        layer = _layer_to_show(readings, self.selection.layer)
        if layer is None:
            self.show_hint("This network has no convolution, so there are no kernels to show.")
            return
        answer = self._ask(readings, layer)
        reading = self.require(FiltersReading, answer, readings)
        if reading is None:
            return
        if reading is not self._reading:
            self._reading = reading
            self._arrange(reading)
        self._layer = layer
        is_chosen_layer = layer == self.selection.layer
        self.grid.choose(self.selection.channel if is_chosen_layer else None)
        self._draw_foot(reading, self.grid.index)
        height, width = reading.kernels.shape[2:]
        color = ", in color" if reading.is_color else ""
        parts = (
            self.epoch_note(answer, readings),
            describe_layer(readings.network, layer),
            f"{pluralize(reading.total, 'kernel')}, {height} × {width}{color}",
            f"first {len(reading.kernels)} shown" if reading.total > len(reading.kernels) else "",
        )
        summary = reading.summary().replace(layer, describe_layer(readings.network, layer), 1)
        self.show_content(" · ".join(filter(None, parts)), summary)

    def _ask(self, readings: MomentReadings, layer: str) -> Answer:
        """The filters with their change, if it is wanted and known, else without."""
        self._problem = ""
        since = {"": None, "start": 0, "previous": max(readings.epoch - 1, 0)}[self.since.value]
        if since is not None:
            answer = readings.ask("filters", layer=layer, since=since)
            if not answer.problem:
                return answer
            self._problem = answer.problem
        return readings.ask("filters", layer=layer)

    def _arrange(self, reading: FiltersReading) -> None:
        count = len(reading.kernels)
        levels = reading.images(shared_scale=self.scale.value == "shared")
        if not reading.is_color:
            levels = _strongest_channels(reading.kernels, levels)
        bars = reading.norms[:count] if reading.change is None else reading.change[:count]
        keys: dict[str, np.ndarray] = {"norm": -reading.norms[:count], "change": -bars}
        order = np.argsort(keys.get(self.sorting.value, np.arange(count)), kind="stable")
        largest = float(bars.max()) if count else 0.0
        self.grid.show_kernels(
            levels, order, bars / (largest or 1.0), tuple(describe_filter(reading, at) for at in range(count))
        )

    def _on_kernel_chosen(self, index: object) -> None:
        # The number of a kernel means nothing without its layer.
        if self._layer is not None:
            self.selection.choose_layer(self._layer)
        self.selection.choose_channel(index if isinstance(index, int) else None)

    def _on_arrangement_changed(self, _: object) -> None:
        if self._reading is not None:
            self._arrange(self._reading)

    def _draw_foot(self, reading: FiltersReading, index: int | None) -> None:
        if index is None:
            norms = reading.norms
            self._foot_title.setText(f"Norms {format_value(norms.min())} to {format_value(norms.max())}")
            hint = "Click a kernel to see all its channels"
            if not reading.is_color and reading.kernels.shape[1] > 1:
                hint = f"Each tile is the strongest of {reading.input_channels} channels · {hint.lower()}"
            self._foot_details.set_full_text(self._problem or hint)
            self.large.hide()
            return
        self.large.show()
        self._foot_title.setText(f"Filter {index + 1} · norm {format_value(reading.norms[index])}")
        change = ""
        if reading.change is not None:
            change = f"changed by {format_percent(float(reading.change[index]))}"
        channels = pluralize(reading.input_channels, "channel")
        self._foot_details.set_full_text(self._problem or " · ".join(filter(None, (change, channels))))
        self.large.show_channels(reading.kernels[index])

    # For the panel

    @property
    def is_zoomed(self) -> bool:
        return self._is_built and self.grid.zoom != 1

    def reset_zoom(self) -> None:
        self.grid.reset_zoom()

    def table(self) -> Table:
        reading = self._reading if self._is_built else None
        if reading is None:
            return []
        count, channels, height, width = reading.kernels.shape
        weights = [f"w[{c},{y},{x}]" for c in range(channels) for y in range(height) for x in range(width)]
        rows: Table = [["filter", "norm", "change", *weights]]
        for index in range(count):
            change = "" if reading.change is None else float(reading.change[index])
            values = (float(value) for value in reading.kernels[index].ravel())
            rows.append([index + 1, float(reading.norms[index]), change, *values])
        return rows


class _ChannelTiles(QWidget):
    """All channels of one kernel, as far as they fit."""

    def __init__(self) -> None:
        super().__init__()
        self._kernel: np.ndarray | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, 64)

    def show_channels(self, kernel: np.ndarray | None) -> None:
        """float32 (C, h, w)."""
        self._kernel = kernel
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._kernel is None:
            return
        style, side, gap = theme(), 28.0, 4.0
        painter = QPainter(self)
        largest = max(float(np.abs(self._kernel).max()), 1e-30)
        levels = np.rint(128 + self._kernel.astype(np.float64) / largest * 127).astype(np.uint8)
        columns = max(int((self.width() + gap) // (side + gap)), 1)
        for number, channel in enumerate(levels[: 2 * columns]):
            row, column = divmod(number, columns)
            # From the right, so that a single row ends at the edge of the panel.
            left = self.width() - (min(len(levels), columns) - column) * (side + gap) + gap
            rect = QRectF(left, row * (side + gap) + 1, side, side)
            painter.drawImage(rect, kernel_image(channel))
            painter.setPen(style.color("border"))
            painter.drawRect(rect.adjusted(-1, -1, 0, 0))
        painter.end()


def _layer_to_show(readings: MomentReadings, chosen: str | None) -> str | None:
    """The chosen layer if it has kernels, else the last convolution before it, else the first one."""
    found = None
    for node in readings.network.walk():
        if node.layer.family is Family.CONVOLUTION and node.enabled:
            found = node.id
        if node.id == chosen and found is not None:
            return found
    convolutions = (
        node.id
        for node in readings.network.walk()
        if node.layer.family is Family.CONVOLUTION and node.enabled
    )
    return next(convolutions, None)


def _strongest_channels(kernels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Of each kernel the channel with the largest norm: uint8 (N, h, w), from (N, C, h, w)."""
    norms = np.square(kernels.astype(np.float64)).sum(axis=(2, 3))
    return np.asarray(levels[np.arange(len(levels)), norms.argmax(1)])


def describe_filter(reading: FiltersReading, index: int) -> str:
    """`Filter 29 of 32: norm 1.26, changed by 12.0%`."""
    text = f"Filter {index + 1} of {reading.total}: norm {format_value(reading.norms[index])}"
    if reading.change is not None:
        text += f", changed by {format_percent(float(reading.change[index]))}"
    return text
