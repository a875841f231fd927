"""The feature maps of the chosen layer: a thin view on the widget that draws them."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.instruments.predictions import UNKNOWN, PredictionsReading

_MAX_CLASS = 40


class FeatureMapsInPanel(View):
    """Contains the widget `featureMaps`, which asks the running training and the run's folder by itself."""

    name = "viewFeatureMaps"
    title = "Feature maps"
    help = (
        "Each tile is one feature map: what one channel of the chosen layer makes of the example image, "
        "bright where it responds. Choose another layer in the list, or another image at the left. A map "
        "with a red frame is dead: it is 0 for all example images."
    )
    empty = "Press Train to see how each layer responds to an image"
    order = 10
    home = "train"
    is_eager = True

    def build(self) -> QWidget:
        self.maps = self.source.create_maps()
        if self.objectName() != self.name:
            # The name of the contract belongs to the maps of the page where they are at home.
            self.maps.grid.setObjectName(f"{self.objectName()}_grid")
        self.maps.map_chosen.connect(lambda index: self.selection.choose_channel(index))
        self.selection.channel_changed.connect(self._on_channel_changed)
        # The head of the panel says the same.
        self.maps.heading.hide()
        self.maps.heading.changed.connect(self._on_heading_changed)
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.maps)
        self._on_heading_changed()
        return content

    def show_moment(self, readings: MomentReadings) -> None:
        """The maps draw themselves whenever they are visible; the prediction for their image is asked for."""
        self._on_heading_changed()
        if readings.is_empty:
            self.maps.show_answer("")
        else:
            self.maps.show_answer(_predicted(readings, self.maps.image))
        self.source.remember(self, readings.asked)

    def on_pinned(self, epoch: int | None) -> None:
        self.maps.pin(epoch)
        self._on_heading_changed()

    def _on_heading_changed(self) -> None:
        heading = self.maps.heading
        title = heading.title.removeprefix(self.title).removeprefix(" of ")
        secondary = " · ".join(filter(None, (title, heading.details)))
        shown = f"{heading.title}: {heading.details}" if heading.details else heading.title
        self._describe(secondary, self.maps.grid.hint if self.maps.grid.maps is None else shown)

    def _on_channel_changed(self, channel: object) -> None:
        self.maps.choose_map(channel if isinstance(channel, int) else None)

    @property
    def is_zoomed(self) -> bool:
        return self.maps.grid.zoom > 1 or self.maps.is_enlarged

    def reset_zoom(self) -> None:
        self.maps.grid.reset_zoom()
        self.maps.show_all()

    def close_run(self) -> None:
        self.maps.close_run()

    def table(self) -> Table:
        maps = self.maps.grid.maps
        if maps is None:
            return []
        values = maps.low + maps.maps / 255.0 * (maps.high - maps.low)
        rows: Table = [["map", "lowest", "highest", "mean", "dead"]]
        for number, each in enumerate(values):
            dead = "dead" if number in maps.dead else ""
            rows.append([number + 1, float(each.min()), float(each.max()), float(each.mean()), dead])
        return rows


def _predicted(readings: MomentReadings, image: int) -> str:
    """`Predicted: cat (97.0%) · actual: dog · epoch 6`; empty while it is not known."""
    answer = readings.ask("predictions")
    reading = answer.reading
    if not isinstance(reading, PredictionsReading) or image >= len(reading.labels):
        return ""
    (predicted, score), *_ = reading.top(image, 1)
    actual = int(reading.labels[image])
    names = [plain_line(reading.classes[each], _MAX_CLASS) for each in (predicted, actual)]
    known = "" if actual == UNKNOWN else "correct" if actual == predicted else f"actual: {names[1]}"
    parts = (f"Predicted: {names[0]} ({format_percent(score)})", known, f"epoch {answer.epoch}")
    return " · ".join(filter(None, parts))
