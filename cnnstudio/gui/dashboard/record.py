"""A run as the dashboard shows it: its events, and what its layers saw at any epoch. Live and old alike."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.dashboard.history import History
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.layers.base import Family
from cnnstudio.runs.run import Run, RunError
from cnnstudio.runs.snapshots import snapshot_epochs
from cnnstudio.training.events import Event, Finished, Started
from cnnstudio.training.examples import SHOWN, examples

_KEPT_MAPS = 64


class Record:
    """The network that is trained, the events of its run, and the run's folder once there is one."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.history = History()
        self.pictures = np.empty((0, 3, 1, 1), np.uint8)
        """The example pictures: uint8 (N, C, H, W)."""
        self.picture_names: tuple[str, ...] = ()
        """The class of each."""
        self._run: Run | None = None
        self._folder: Path | None = None
        self._offset = 0
        self._layers = [node for top in self.network.nodes if top.enabled for node in _enabled(top)]
        self._read_maps = lru_cache(_KEPT_MAPS)(_read_maps)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record of a run folder. Raises RunError."""
        run = Run.open(folder)
        record = cls(run.network)
        record._run, record._folder = run, folder
        record.read_more()
        record._read_pictures(run)
        return record

    @property
    def folder(self) -> Path | None:
        return self._folder

    @property
    def classes(self) -> tuple[str, ...]:
        return self.history.started.classes if self.history.started is not None else ()

    @property
    def is_being_written(self) -> bool:
        """Whether the run was opened from its folder and another program still trains it."""
        return self._run is not None and self.history.finished is None and self._run.status == "running"

    def read_more(self) -> bool:
        """Takes what was written into the folder since; tells whether there was anything. Raises RunError."""
        if self._run is None:
            return False
        events, self._offset = self._run.events_from(self._offset)
        self.history.feed(events)
        return bool(events)

    def feed(self, events: Iterable[Event]) -> None:
        """Takes the events of a live run."""
        for event in events:
            if isinstance(event, Started | Finished) and event.run is not None:
                self._folder = Path(event.run)
            self.history.feed([event])

    def go_on_from(self, before: Record) -> None:
        """The run goes on where another one, or an earlier part of it, stands: its curves stay."""
        self.history = before.history
        self.pictures, self.picture_names = before.pictures, before.picture_names

    def take_pictures(self, dataset: Dataset) -> None:
        """The example pictures out of the data set, as the training shows them to the network."""
        shown = examples(dataset.test, SHOWN)
        self.pictures = shown.images
        self.picture_names = tuple(dataset.classes[label] for label in shown.labels)

    def _read_pictures(self, run: Run) -> None:
        for epoch in run.snapshot_epochs[:1]:
            try:
                snapshot = run.snapshot(epoch)
                self.pictures = snapshot.pictures
                self.picture_names = tuple(run.classes[label] for label in snapshot.labels)
            except (RunError, IndexError):
                # Curves without pictures are still worth showing.
                return

    # Layers and what they see

    def layer_to_show(self, selection: Iterable[str], before: str | None) -> str | None:
        """The first of `selection` that was trained, else the layer before, else the first convolution."""
        known = {node.id for node in self._layers}
        if self.history.is_empty and self._folder is None and not len(self.pictures):
            return None
        for node_id in (*selection, before):
            if node_id in known:
                return node_id
        convolutions = (node.id for node in self._layers if node.layer.family is Family.CONVOLUTION)
        return next(convolutions, next((node.id for node in self._layers), None))

    def maps(self, node_id: str, picture: int, epoch: int | None) -> FeatureMaps | None:
        """What a layer made of an example picture until `epoch`, by default now; None where nobody looked."""
        if epoch is not None:
            return self._maps_then(node_id, picture, epoch)
        newest = self.history.snapshot.payload if self.history.snapshot is not None else None
        if isinstance(newest, FeatureMaps) and (newest.node_id, newest.picture) == (node_id, picture):
            return newest
        if self.history.finished is None and self._run is None:
            # Live: the training answers within a few steps.
            return None
        last = self.history.epochs[-1].epoch if self.history.epochs else 0
        return self._maps_then(node_id, picture, last)

    def snapshot_epoch(self, epoch: int) -> int | None:
        """The last epoch until `epoch` whose maps were kept; long runs do not keep those of every epoch."""
        if self._folder is None:
            return None
        return max((number for number in snapshot_epochs(self._folder) if number <= epoch), default=None)

    def _maps_then(self, node_id: str, picture: int, epoch: int) -> FeatureMaps | None:
        taken = self.snapshot_epoch(epoch)
        if self._folder is None or taken is None:
            return None
        return self._read_maps(self._folder, taken, node_id, picture)


def _read_maps(folder: Path, epoch: int, node_id: str, picture: int) -> FeatureMaps | None:
    try:
        return Run.open(folder).snapshot(epoch).feature_maps(node_id, picture)
    except RunError:
        return None


def _enabled(node: Node) -> Iterable[Node]:
    """The node and those below it that are switched on."""
    yield node
    for child in node.children:
        if child.enabled:
            yield from _enabled(child)
