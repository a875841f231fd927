"""A run as the dashboard shows it: its events, and what its layers are shown. Live and old alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.runs.history import History
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.layers.base import Family
from cnnstudio.runs.run import RunError
from cnnstudio.runs.watching import Look
from cnnstudio.training.events import Event, Finished, Started
from cnnstudio.training.sample_images import SHOWN, examples


class Record:
    """The network that is trained, the events of its run, and the run's folder once there is one."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.history = History()
        self.images = np.empty((0, 3, 1, 1), np.uint8)
        """The example images: uint8 (N, C, H, W)."""
        self.image_names: tuple[str, ...] = ()
        """The class of each."""
        self._folder: Path | None = None
        self._layers = [node for top in self.network.nodes if top.enabled for node in _enabled(top)]

    @classmethod
    def of(cls, look: Look) -> Record:
        """The record of a run whose folder was looked into for the first time. Raises RunError."""
        record = cls(look.run.network)
        record._folder = look.run.folder
        record.history.feed(look.events)
        record.images, record.image_names = kept_images(look)
        return record

    @property
    def folder(self) -> Path | None:
        return self._folder

    @property
    def classes(self) -> tuple[str, ...]:
        return self.history.started.classes if self.history.started is not None else ()

    def feed(self, events: Iterable[Event]) -> None:
        """Takes the events of a live run."""
        for event in events:
            if isinstance(event, Started | Finished) and event.run is not None:
                self._folder = Path(event.run)
            self.history.feed([event])

    def go_on_from(self, before: Record) -> None:
        """The run goes on where another one, or an earlier part of it, stands: its curves stay."""
        self.history = before.history
        self.images, self.image_names = before.images, before.image_names

    def take_images(self, dataset: Dataset) -> None:
        """The example images out of the data set, as the training shows them to the network."""
        shown = examples(dataset.test, SHOWN)
        self.images = shown.images
        self.image_names = tuple(dataset.classes[label] for label in shown.labels)

    # Layers and what they see

    def layer_to_show(self, selection: Iterable[str], before: str | None) -> str | None:
        """The first of `selection` that was trained, else the layer before, else the first convolution."""
        known = {node.id for node in self._layers}
        if self.history.is_empty and self._folder is None and not len(self.images):
            return None
        for node_id in (*selection, before):
            if node_id in known:
                return node_id
        convolutions = (node.id for node in self._layers if node.layer.family is Family.CONVOLUTION)
        return next(convolutions, next((node.id for node in self._layers), None))

    def newest_maps(self, node_id: str, image: int) -> FeatureMaps | None:
        """What the training has just told of the layer and the example image."""
        newest = self.history.snapshot.payload if self.history.snapshot is not None else None
        if isinstance(newest, FeatureMaps) and (newest.node_id, newest.image) == (node_id, image):
            return newest
        return None

    @property
    def last_epoch(self) -> int:
        """The last one that is done; 0 before the first."""
        return self.history.epochs[-1].epoch if self.history.epochs else 0


def kept_images(look: Look) -> tuple[np.ndarray, tuple[str, ...]]:
    """The example images that the run keeps with its maps, and the class of each; none before its start."""
    try:
        for epoch in look.snapshots[:1]:
            snapshot = look.run.snapshot(epoch)
            return snapshot.images, tuple(look.run.classes[label] for label in snapshot.labels)
    except (RunError, IndexError):
        # Curves without images are still worth showing.
        pass
    return np.empty((0, 3, 1, 1), np.uint8), ()


def _enabled(node: Node) -> Iterable[Node]:
    """The node and those below it that are switched on."""
    yield node
    for child in node.children:
        if child.enabled:
            yield from _enabled(child)
