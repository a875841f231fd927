"""The view of a layer's feature maps for one of the example images."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, pluralize, screen_reader_text
from cnnstudio.design.network import Network
from cnnstudio.gui.dashboard.heading import Heading
from cnnstudio.gui.dashboard.maps.images import ImageColumn
from cnnstudio.gui.dashboard.maps.map_grid import MapGrid, probabilities
from cnnstudio.gui.dashboard.maps.scale_button import ScaleButton
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.maps import FeatureMaps

_MAX_CLASS = 40
"""Characters of a class's name in a sentence."""

HINT = "Press Train to see how each layer responds to an image"


class FeatureMapsView(QWidget):
    """Heading, example images and maps."""

    image_chosen = Signal(object)
    """The index of the example image that the user chose."""

    def __init__(self) -> None:
        super().__init__()
        self.heading = Heading()
        self.scale = ScaleButton()
        self.images = ImageColumn()
        self.grid = MapGrid()
        self.grid.setAccessibleName("Feature maps")
        self._names: tuple[str, ...] = ()
        self._when = ""
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.heading, 1)
        head.addWidget(self.scale)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.images)
        row.addWidget(self.grid, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addLayout(row, 1)
        self.images.chosen.connect(self.image_chosen)
        self.scale.changed.connect(self._on_scale_changed)
        self.images.hide()
        self.show_hint("Feature maps", HINT)

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
        self._names = names
        self.images.show_images(images, names)
        self.images.setVisible(len(images) > 0)

    def show_maps(
        self, maps: FeatureMaps, network: Network, classes: tuple[str, ...], when: str = ""
    ) -> None:
        """Shows the maps of a layer of `network`; `when` is their epoch if they are not the newest."""
        self._when = when
        flat = maps.maps[0].size == 1
        last = is_last(network, maps.node_id) and len(classes) == len(maps.maps) and flat
        self.grid.show_maps(maps, classes if last else ())
        details = self._describe_prediction(maps, classes) if last else describe_maps(maps)
        if when:
            details = f"{details[:1].lower()}{details[1:]}"
        title = "Output" if last else "Activations" if flat else "Feature maps"
        self.scale.setVisible(not flat)
        self.heading.show_texts(f"{title} of {describe_layer(network, maps.node_id)}", _joined(when, details))
        self._describe(maps)

    def _describe(self, maps: FeatureMaps) -> None:
        scale = self.scale.scale_name if self.scale.isVisibleTo(self) else ""
        heading = f"{self.heading.title}: {_joined(self.heading.details, scale)}"
        self.grid.setAccessibleDescription(screen_reader_text(heading + _list_dead_maps(maps)))

    def _on_scale_changed(self, per_map: object) -> None:
        self.grid.set_scale_per_map(bool(per_map))
        if self.grid.maps is not None:
            self._describe(self.grid.maps)

    def show_nothing(self, network: Network, node_id: str, hint: str) -> None:
        """Shows a hint instead of the maps of a layer."""
        self.show_hint(f"Feature maps of {describe_layer(network, node_id)}", hint)

    def show_hint(self, title: str, hint: str) -> None:
        """Shows a hint instead of maps."""
        self.heading.show_texts(title)
        self.scale.hide()
        self.grid.show_hint(plain_line(hint))
        self.grid.setAccessibleDescription(plain_line(hint))

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
