"""Weights, activations and gradients of a layer over the epochs; dead and saturated units of all layers."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.network import Network
from cnnstudio.gui.dashboard.maps.feature_maps import describe_layer
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.distribution import DistributionPlot, Histogram, describe_histogram
from cnnstudio.gui.dashboard.views.parts.unit_rows import UnitList, UnitRow
from cnnstudio.gui.dashboard.views.readings import MomentReadings, Series
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line
from cnnstudio.gui.widgets.segments import Choice
from cnnstudio.insight.instruments.histograms import HistogramsReading

_KINDS = (
    ("Weights", "weight", "training"),
    ("Activations", "activation", "good"),
    ("Gradients", "gradient", "validation"),
)


class HistogramsView(View):
    """The distribution of the chosen layer's values above, the units of all layers below."""

    name = "viewHistograms"
    title = "Histograms"
    help = (
        "The upper part shows how the values of the chosen layer are distributed: epochs from left to right, "
        "the darker the more values, and at the right the epoch that is looked at. Weights that run away or "
        "gradients that shrink to a line at 0 mean that a layer learns badly. Below, dead units are always 0 "
        "and saturated ones always at their limit, so that neither learns any more."
    )
    empty = "Shows how weights and activations change over the epochs, once a run has completed an epoch."
    order = 60

    def build(self) -> QWidget:
        self._reading: HistogramsReading | None = None
        self._histograms: tuple[Histogram, ...] = ()
        self._shown: object = None
        self.kind = Choice("Values", tuple(title for title, _, _ in _KINDS))
        self.kind.setObjectName("histogramValues")
        self.kind.changed.connect(lambda _: self.refresh())
        self._details = ElidedLabel("", "help", "secondary")
        controls = QHBoxLayout()
        controls.setContentsMargins(16, 0, 16, 4)
        controls.setSpacing(12)
        controls.addWidget(self.kind)
        controls.addWidget(self._details, 1)
        self.plot = DistributionPlot()
        plot_row = QHBoxLayout()
        plot_row.setContentsMargins(8, 0, 16, 0)
        plot_row.addWidget(self.plot)
        self.units = UnitList()
        self.units.chosen.connect(lambda layer: self.selection.choose_layer(layer))
        units_title = QHBoxLayout()
        units_title.setContentsMargins(16, 4, 16, 4)
        units_title.addWidget(Label("Dead and saturated units", "strong"))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(0)
        column.addLayout(controls)
        column.addLayout(plot_row, 3)
        column.addWidget(Line())
        column.addLayout(units_title)
        column.addWidget(self.units, 2)
        return content

    def draw(self, readings: MomentReadings) -> None:
        answer = readings.ask("histograms")
        series = readings.over_epochs("histograms")
        reading = self.require(HistogramsReading, answer, readings)
        if reading is None:
            return
        if not reading.layers:
            self.show_hint(reading.summary())
            return
        layer = self._layer(reading, readings.network)
        self._draw_plot(series, layer, answer.epoch if answer.epoch is not None else readings.epoch)
        self._reading = reading
        known = {node.id for node in readings.network.walk()}
        self.units.show_rows(
            [
                UnitRow(
                    each,
                    describe_layer(readings.network, each) if each in known else each,
                    int(reading.units[row]),
                    int(reading.dead[row]),
                    int(reading.saturated[row]),
                )
                for row, each in enumerate(reading.layers)
            ],
            layer,
        )
        title = describe_layer(readings.network, layer) if layer in known else layer
        note = self.epoch_note(answer, readings)
        self.show_content(" · ".join(filter(None, (note, title))), _summary(reading, readings.network))

    def _layer(self, reading: HistogramsReading, network: Network) -> str:
        """The chosen layer if it has values, else the last one before it that has, else the first."""
        found = reading.layers[0]
        for node in network.walk():
            if node.id in reading.layers:
                found = node.id
            if node.id == self.selection.layer:
                return found
        return reading.layers[0]

    def _draw_plot(self, series: Series, layer: str, epoch: int) -> None:
        _, kind, token = _KINDS[self.kind.index]
        key = (kind, layer, series.readings)
        if key != self._shown:
            found = (
                _histogram(reading, layer, kind, at)
                for at, reading in series.readings
                if isinstance(reading, HistogramsReading)
            )
            self._shown, self._histograms = key, tuple(each for each in found if each is not None)
        self.plot.show_histograms(self._histograms, epoch, token)
        current = self.plot.current
        details = "" if current is None else describe_histogram(current)
        # The epoch stands below the plot, too, and the place beside the choice is narrow.
        shown = details.removeprefix(f"Epoch {epoch}: ")
        if series.pending:
            pending = f" · {pluralize(series.pending, 'epoch')} to load…"
            details, shown = details + pending, shown + pending
        self._details.set_full_text(shown)
        self.plot.setAccessibleDescription(details)

    def table(self) -> Table:
        if not self._is_built or not self._histograms:
            return []
        bins = len(self._histograms[0].counts)
        rows: Table = [["epoch", "low", "high", *(f"bin {number + 1}" for number in range(bins))]]
        for each in self._histograms:
            rows.append([each.epoch, each.low, each.high, *(int(count) for count in each.counts)])
        return rows


def _histogram(reading: HistogramsReading, layer: str, kind: str, epoch: int) -> Histogram | None:
    """The histogram of one kind of values of a layer; None if the reading has none."""
    counts = getattr(reading, f"{kind}_counts")
    if counts is None or layer not in reading.layers:
        return None
    row = reading.layers.index(layer)
    low, high = (float(getattr(reading, f"{kind}_{end}")[row]) for end in ("low", "high"))
    return Histogram(epoch, counts[row], low, high) if high >= low else None


def _summary(reading: HistogramsReading, network: Network) -> str:
    """What the reading says, with the layers' names as they are in the list."""
    text, known = reading.summary(), {node.id for node in network.walk()}
    for layer in known.intersection(reading.layers):
        text = re.sub(rf"\b{re.escape(layer)}\b", describe_layer(network, layer).replace("\\", r"\\"), text)
    return text
