"""What a layer sees: its feature maps for one of the example images."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import count, ordinal, plural, spoken
from cnnstudio.design.network import Network
from cnnstudio.gui.dashboard.heading import Heading
from cnnstudio.gui.dashboard.maps.images import ImageColumn
from cnnstudio.gui.dashboard.maps.map_grid import MapGrid, probabilities
from cnnstudio.gui.dashboard.maps.scale_button import ScaleButton
from cnnstudio.insight.maps import FeatureMaps

HINT = "Press Train to see what the layers make of an image"


class FeatureMapsView(QWidget):
    """Heading, example images and maps. Says by `image_chosen` which image is wanted."""

    image_chosen = Signal(object)

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
        """The number of the chosen image, from 0."""
        return self.images.number

    @property
    def when(self) -> str:
        """From when the maps are that are shown; empty for the newest."""
        return self._when

    def show_images(self, images: np.ndarray, names: tuple[str, ...]) -> None:
        """uint8 (N, C, H, W), and the class of each."""
        self._names = names
        self.images.show_images(images, names)
        self.images.setVisible(len(images) > 0)

    def show_maps(
        self, maps: FeatureMaps, network: Network, classes: tuple[str, ...], when: str = ""
    ) -> None:
        """The maps of a layer of `network`; `when` says the epoch where it is not the newest."""
        self._when = when
        flat = maps.maps[0].size == 1
        last = is_last(network, maps.node_id) and len(classes) == len(maps.maps) and flat
        self.grid.show_maps(maps, classes if last else ())
        words = self._scores_in_words(maps, classes) if last else maps_in_words(maps)
        title = "Scores" if last else "Values" if flat else "Feature maps"
        self.scale.setVisible(not flat)
        self.heading.show_texts(f"{title} of {layer_in_words(network, maps.node_id)}", _joined(when, words))
        self._describe(maps)

    def _describe(self, maps: FeatureMaps) -> None:
        scale = self.scale.words if self.scale.isVisibleTo(self) else ""
        heading = f"{self.heading.title}: {_joined(self.heading.remark, scale)}"
        self.grid.setAccessibleDescription(spoken(heading + _dead_numbers(maps)))

    def _on_scale_changed(self, each: object) -> None:
        self.grid.scale_each(bool(each))
        if self.grid.maps is not None:
            self._describe(self.grid.maps)

    def show_nothing(self, network: Network, node_id: str, hint: str) -> None:
        """There are no maps of that layer at that time."""
        self.show_hint(f"Feature maps of {layer_in_words(network, node_id)}", hint)

    def show_hint(self, title: str, hint: str) -> None:
        """No maps, but a sentence that says why."""
        self.heading.show_texts(title)
        self.scale.hide()
        self.grid.show_hint(hint)
        self.grid.setAccessibleDescription(hint)

    def _scores_in_words(self, maps: FeatureMaps, classes: tuple[str, ...]) -> str:
        shares = probabilities(maps)
        best = int(np.argmax(shares))
        words = f"takes it for {classes[best]}, {100 * shares[best]:.0f}%"
        name = self._names[maps.image] if maps.image < len(self._names) else ""
        if not name:
            return words
        return f"{words} · right" if name == classes[best] else f"{words} · it is {name}"


def maps_in_words(maps: FeatureMaps) -> str:
    """`64 maps, 5 dead`."""
    words = plural(maps.total, "value" if maps.maps[0].size == 1 else "map")
    if maps.total > len(maps.maps):
        words += f", the first {count(len(maps.maps))} shown"
    if maps.dead:
        words += f", {count(len(maps.dead))} dead"
    return words


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _dead_numbers(maps: FeatureMaps) -> str:
    """The dead maps by number, for those who cannot see the red frames."""
    if not maps.dead:
        return ""
    numbers = ", ".join(str(index + 1) for index in maps.dead[:20])
    return f"; dead: {numbers}{' and more' if len(maps.dead) > 20 else ''}"


def layer_in_words(network: Network, node_id: str) -> str:
    """`Conv2D (third layer)`: its title and its place in the list."""
    place = next(number for number, node in enumerate(network.walk(), start=1) if node.id == node_id)
    return f"{network.node(node_id).title} ({ordinal(place)} layer)"


def is_last(network: Network, node_id: str) -> bool:
    """Whether the layer's output is the network's."""
    enabled = [node for node in network.nodes if node.enabled]
    return bool(enabled) and enabled[-1].id == node_id
