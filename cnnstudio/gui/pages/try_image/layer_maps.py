"""The feature maps of a chosen layer for the image that is tried."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.maps.feature_maps import describe_layer, describe_maps, is_last
from cnnstudio.gui.dashboard.maps.map_grid import MapGrid
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line
from cnnstudio.insight.maps import FeatureMaps


class LayerMaps(QWidget):
    """A selector of layers above the maps."""

    layer_chosen = Signal(object)
    """The id of the layer that the user chose."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = QComboBox()
        self.layers.setObjectName("tryLayer")
        self.layers.setProperty("role", "small")
        self.layers.setAccessibleName("Layer whose feature maps are shown")
        self.layers.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.layers.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.layers.setMinimumContentsLength(15)
        self._details = ElidedLabel(role="help", tone="secondary")
        self.grid = MapGrid()
        self.grid.setObjectName("tryMaps")
        # In a small window it gives way to what stands above it.
        self.grid.setMinimumHeight(40)
        self.grid.setAccessibleName("Feature maps of the image")
        self._network = Network()
        self._ids: tuple[str, ...] = ()
        self._shown: object = None
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Feature maps", "strong"))
        head.addWidget(self.layers, 2)
        head.addWidget(self._details, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.grid, 1)
        self.layers.activated.connect(lambda index: self.layer_chosen.emit(self._ids[index]))
        self.grid.map_chosen.connect(self._on_map_chosen)

    def show_layers(self, network: Network, layer: str | None) -> None:
        """Lists the layers of the run, one of them chosen."""
        if network is not self._network:
            self._network = network
            self._ids = tuple(node.id for node in network.walk() if node.is_active)
            self.layers.clear()
            self.layers.addItems([plain_entry(describe_layer(network, each)) for each in self._ids])
        if layer in self._ids:
            self.layers.setCurrentIndex(self._ids.index(layer))

    def show_answer(self, answer: Answer, classes: tuple[str, ...], waiting: str) -> None:
        """Shows the maps, or why there are none; `waiting` stands for those that are awaited."""
        maps = answer.reading
        if not isinstance(maps, FeatureMaps):
            self._details.set_full_text("")
            self.grid.show_hint(plain_line(answer.problem or waiting), is_error=bool(answer.problem))
            self.grid.setAccessibleDescription(plain_line(answer.problem or waiting))
            return
        if maps is self._shown and self.grid.maps is not None:
            return
        self._shown = maps
        is_output = is_last(self._network, maps.node_id) and len(classes) == len(maps.maps)
        is_flat = maps.maps[0].size == 1
        # Of a single image it is not known which maps are always 0.
        self.grid.show_maps(replace(maps, dead=()), classes if is_output and is_flat else ())
        self._details.set_full_text(describe_maps(self.grid.maps or maps))
        self.grid.setAccessibleDescription(screen_reader_text(maps.summary()))

    def _on_map_chosen(self, index: object) -> None:
        maps = self.grid.maps
        if maps is not None:
            text = self.grid.describe(index) if isinstance(index, int) else describe_maps(maps)
            self._details.set_full_text(text)
