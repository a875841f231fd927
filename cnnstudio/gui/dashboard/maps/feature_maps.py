"""The view of a layer's feature maps for one of the example images."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import Network
from cnnstudio.gui.dashboard.heading import Heading
from cnnstudio.gui.dashboard.maps.enlarged_map import EnlargedMap
from cnnstudio.gui.dashboard.maps.images import LARGE, SMALL, ImageColumn
from cnnstudio.gui.dashboard.maps.map_grid import MapGrid, probabilities
from cnnstudio.gui.dashboard.maps.mosaic import stretched
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.view_foot import SIDE, foot
from cnnstudio.gui.theme.colormaps import COLOR_MAPS
from cnnstudio.gui.widgets.labels import ElidedLabel, Line
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage
from cnnstudio.insight.maps import FeatureMaps

_MAP_HINT = "Click a map to enlarge it"

_MAX_CLASS = 40
"""Characters of a class's name in a sentence."""

_IMAGE_SHARE = 0.15
"""Of the width, at most, is for the example images beside the maps."""

HINT = "Press Train to see how each layer responds to an image"


class FeatureMapsView(QWidget):
    """Heading, controls, example images and maps; one map can be enlarged beside the image."""

    image_chosen = Signal(object)
    """The index of the example image that the user chose."""
    map_chosen = Signal(object)
    """The index of the map that the user chose, or None."""

    def pin(self, epoch: int | None) -> None:
        """Stays at an epoch of the run, if it follows one; None for the epoch that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.heading = Heading()
        self.order = MenuChoice(
            "mapOrder",
            "Order",
            {"activity": "activity", "index": "number"},
            "By activity, the most active map is first and dead ones are last",
        )
        self.scale = MenuChoice(
            "mapScale",
            "Scale",
            {"shared": "shared", "each": "each map"},
            "A shared scale shows which maps are strong; a scale per map shows details in weak maps",
        )
        self.colors = MenuChoice("mapColors", "Colors", COLOR_MAPS)
        self.images = ImageColumn()
        self.grid = MapGrid()
        self.grid.setAccessibleName("Feature maps")
        self.enlarged = EnlargedMap()
        self._map_text = ElidedLabel("", "help", "secondary")
        self._answer = ""
        self._pixels = np.empty((0, 3, 1, 1), np.uint8)
        self._names: tuple[str, ...] = ()
        self._network = Network()
        self._analyzed: tuple[Network, Analysis] | None = None
        self._when = ""
        self._compose()
        self._connect()
        self.images.hide()
        self.show_hint("Feature maps", HINT)

    def _compose(self) -> None:
        self._controls = QWidget()
        controls = QHBoxLayout(self._controls)
        controls.setContentsMargins(SIDE, 0, SIDE, 4)
        controls.setSpacing(8)
        for control in (self.order, self.scale, self.colors):
            controls.addWidget(control)
        controls.addStretch(1)
        row = QHBoxLayout()
        row.setContentsMargins(SIDE, 0, SIDE, 8)
        row.setSpacing(10)
        row.addWidget(self.images)
        row.addWidget(self.grid, 1)
        all_maps = QWidget()
        all_maps_column = QVBoxLayout(all_maps)
        all_maps_column.setContentsMargins(0, 0, 0, 0)
        all_maps_column.setSpacing(0)
        all_maps_column.addLayout(row, 1)
        all_maps_column.addWidget(Line())
        all_maps_column.addWidget(foot(self._map_text))
        self.enlarged.setContentsMargins(SIDE, 0, SIDE, 12)
        self._stack = QStackedWidget()
        self._stack.addWidget(all_maps)
        self._stack.addWidget(self.enlarged)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.heading)
        column.addWidget(self._controls)
        column.addWidget(self._stack, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.images.set_largest(min(max(round(_IMAGE_SHARE * self.width()), SMALL), LARGE))

    def _connect(self) -> None:
        self.images.chosen.connect(self.image_chosen)
        self.order.changed.connect(lambda key: self.grid.set_by_activity(key == "activity"))
        self.scale.changed.connect(self._on_scale_changed)
        self.colors.changed.connect(self._on_colors_changed)
        self.grid.map_chosen.connect(self._on_map_chosen)
        self.grid.map_activated.connect(self.enlarge)
        self.enlarged.closed.connect(self.show_all)
        self.enlarged.step_requested.connect(self._on_step)

    @property
    def image(self) -> int:
        """The index of the chosen image."""
        return self.images.number

    @property
    def when(self) -> str:
        """The epoch of the shown maps, such as `after epoch 3`; empty for the newest."""
        return self._when

    def show_images(self, images: np.ndarray, names: tuple[str, ...]) -> None:
        """Shows the example images, uint8 (N, C, H, W), with the class of each."""
        self._names, self._pixels = names, images
        self.images.show_images(images, names)
        self.images.setVisible(len(images) > 0)

    def show_maps(
        self,
        maps: FeatureMaps,
        network: Network,
        classes: tuple[str, ...],
        when: str = "",
        moment: object = None,
    ) -> None:
        """Shows the maps of a layer of `network`; `when` is their epoch if they are not the newest.

        The order by activity is kept as long as `moment` and `when` stay the same, such as during an epoch.
        """
        self._when, self._network = when, network
        flat = maps.maps[0].size == 1
        last = is_last(network, maps.node_id) and len(classes) == len(maps.maps) and flat
        self.grid.show_maps(maps, classes if last else (), (when, moment))
        details = self._describe_prediction(maps, classes) if last else describe_maps(maps)
        if when:
            details = f"{details[:1].lower()}{details[1:]}"
        title = "Output" if last else "Activations" if flat else "Feature maps"
        self._controls.setVisible(not flat)
        self.heading.show_texts(f"{title} of {describe_layer(network, maps.node_id)}", _joined(when, details))
        self._describe(maps)
        self._show_chosen()

    def _describe(self, maps: FeatureMaps) -> None:
        has_scale = not self._controls.isHidden()
        scale = ("scale per map" if self.scale.value == "each" else "shared scale") if has_scale else ""
        heading = f"{self.heading.title}: {_joined(self.heading.details, scale)}"
        self.grid.setAccessibleDescription(screen_reader_text(heading + _list_dead_maps(maps)))

    def _on_scale_changed(self, key: object) -> None:
        self.grid.set_scale_per_map(key == "each")
        if self.grid.maps is not None:
            self._describe(self.grid.maps)
            self._show_chosen()

    def _on_colors_changed(self, key: object) -> None:
        self.grid.set_color_map(str(key))
        self._show_chosen()

    def show_answer(self, answer: str) -> None:
        """Shows below the maps what the network says to the image; empty if that is not known."""
        if answer != self._answer:
            self._answer = answer
            self._show_chosen()

    def close_run(self) -> None:
        """Ignores what is still being read."""

    # One map

    def choose_map(self, index: int | None) -> None:
        """Marks a map without telling anybody."""
        if index != self.grid.index:
            self.grid.choose(index)
            self._show_chosen()

    def _on_map_chosen(self, index: object) -> None:
        self._show_chosen()
        self.map_chosen.emit(index)

    def enlarge(self, index: object) -> None:
        """Shows one map as large as possible, beside the image."""
        if isinstance(index, int) and self.grid.maps is not None:
            self.grid.choose(index)
            self._stack.setCurrentWidget(self.enlarged)
            self._show_chosen()
            self.enlarged.image.setFocus()

    def show_all(self) -> None:
        """Shows all maps again."""
        if self._stack.currentWidget() is self.enlarged:
            self._stack.setCurrentIndex(0)
            self._show_chosen()
            self.grid.setFocus()

    @property
    def is_enlarged(self) -> bool:
        """Whether a single map is shown."""
        return self._stack.currentWidget() is self.enlarged

    def _on_step(self, step: object) -> None:
        """The next map in the order of the grid, or the previous one."""
        assert isinstance(step, int)
        if self.grid.index is not None:
            place = self.grid.order.index(self.grid.index) + step
            if 0 <= place < len(self.grid.order):
                self.grid.choose(self.grid.order[place])
                self._on_map_chosen(self.grid.index)

    def _show_chosen(self) -> None:
        """Shows what is said about the chosen map, and the map itself if it is enlarged."""
        maps, index = self.grid.maps, self.grid.index
        can_enlarge = maps is not None and maps.maps[0].size > 1 and index is not None
        text = "" if maps is None else _MAP_HINT if index is None else self.grid.describe(index)
        self._map_text.set_full_text(_joined(self._answer, text))
        if maps is None or index is None or not can_enlarge:
            self._stack.setCurrentIndex(0)
            return
        if self.is_enlarged:
            chosen = maps.maps[index : index + 1]
            levels = (stretched(chosen) if self.scale.value == "each" else chosen)[0]
            if self._analyzed is None or self._analyzed[0] is not self._network:
                self._analyzed = self._network, analyze(self._network)
            report = self._analyzed[1][maps.node_id]
            size = self._network.input.height, self._network.input.width
            image = to_qimage(self._pixels[maps.image]) if maps.image < len(self._pixels) else QImage()
            self.enlarged.show_map(maps, index, levels, image, report, size, self.colors.value)

    def show_nothing(self, network: Network, node_id: str, hint: str, *, is_error: bool = False) -> None:
        """Shows a hint instead of the maps of a layer, or why there are none."""
        self.show_hint(f"Feature maps of {describe_layer(network, node_id)}", hint, is_error=is_error)

    def show_hint(self, title: str, hint: str, *, is_error: bool = False) -> None:
        """Shows a hint instead of maps."""
        self._controls.hide()
        self._stack.setCurrentIndex(0)
        self.grid.show_hint(plain_line(hint), is_error=is_error)
        self.grid.setAccessibleDescription(plain_line(hint))
        # Last: who hears that the heading has changed reads the rest too.
        self.heading.show_texts(title)

    def _describe_prediction(self, maps: FeatureMaps, classes: tuple[str, ...]) -> str:
        """`Predicted: cat (97%) · actual: dog` or `Predicted: cat (97%) · correct`."""
        shares = probabilities(maps)
        best = int(np.argmax(shares))
        predicted = f"Predicted: {plain_line(classes[best], _MAX_CLASS)} ({100 * shares[best]:.0f}%)"
        actual = self._names[maps.image] if maps.image < len(self._names) else ""
        if not actual:
            return predicted
        if actual == classes[best]:
            return f"{predicted} · correct"
        return f"{predicted} · actual: {plain_line(actual, _MAX_CLASS)}"


def describe_maps(maps: FeatureMaps) -> str:
    """`64 maps, 5 dead`."""
    text = pluralize(maps.total, "value" if maps.maps[0].size == 1 else "map")
    if maps.total > len(maps.maps):
        text += f", first {format_count(len(maps.maps))} shown"
    if maps.dead:
        text += f", {format_count(len(maps.dead))} dead"
    return text


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _list_dead_maps(maps: FeatureMaps) -> str:
    """The numbers of the dead maps, for users who cannot see the red frames."""
    if not maps.dead:
        return ""
    numbers = ", ".join(str(index + 1) for index in maps.dead[:20])
    return f"; dead: {numbers}{' and more' if len(maps.dead) > 20 else ''}"


def describe_layer(network: Network, node_id: str) -> str:
    """`Conv2D (layer 3)`: its title and its position in the list."""
    position = next(number for number, node in enumerate(network.walk(), start=1) if node.id == node_id)
    return f"{network.node(node_id).title} (layer {position})"


def is_last(network: Network, node_id: str) -> bool:
    """Whether the layer's output is the output of the network."""
    enabled = [node for node in network.nodes if node.enabled]
    return bool(enabled) and enabled[-1].id == node_id
