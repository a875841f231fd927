"""A run as the dashboard shows it, live or from its folder: network, events and example images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.layers.base import Family
from cnnstudio.runs.library.label import read_label
from cnnstudio.runs.library.starts import describe_start
from cnnstudio.runs.run import RunError
from cnnstudio.runs.watching import RunSnapshot
from cnnstudio.training.events import Event, Finished, Started, WeightsLoaded
from cnnstudio.training.pretrained.catalog import PRETRAINED
from cnnstudio.training.sample_images import DISPLAYED_COUNT, choose_sample_images

_MAX_UNREAD = 200


class RunRecord:
    """The network of a run, its history, its example images, and its folder once it exists."""

    def __init__(
        self, network: Network | None = None, dataset_name: str = "", created: datetime | None = None
    ) -> None:
        self.network = network or Network()
        self.dataset_name = dataset_name
        self.created = created
        """When it was started; None if unknown."""
        self._history = RunHistory()
        self._unread: list[Event] = []
        self.images = np.empty((0, 3, 1, 1), np.uint8)
        """The example images: uint8 (N, C, H, W)."""
        self.image_names: tuple[str, ...] = ()
        """The class of each image."""
        self.label = ""
        """The title that the user gave the run; empty for the name of its network."""
        known = PRETRAINED.get(self.network.weights or "")
        self.weights_notice = known.notice if known is not None else ""
        """The terms of the weights that it started from; empty for random ones, or if nobody knows them."""
        self._folder: Path | None = None
        self._continued: RunRecord | None = None
        self._parts: tuple[tuple[int, Path], ...] = ()
        """(first epoch, folder) of the runs that it has continued, and of itself; empty if there are none."""
        self._layers = [node for top in self.network.nodes if top.enabled for node in _enabled(top)]

    @classmethod
    def of(cls, snapshot: RunSnapshot) -> RunRecord:
        """The record of a run, from a snapshot that has all its events. Raises RunError."""
        record = cls(snapshot.run.network, *_origin(snapshot))
        record._folder = snapshot.run.folder
        record.label = read_label(snapshot.run.folder).title
        record.weights_notice = snapshot.run.weights_notice
        record.history.feed(snapshot.events)
        record.images, record.image_names = saved_images(snapshot)
        return record

    @property
    def title(self) -> str:
        """`Lesson CNN · 14:02`, with the day if it was not today."""
        return " · ".join(filter(None, (self.name, self.start)))

    @property
    def name(self) -> str:
        """What the user calls it, or else the network's name."""
        return self.label or self.network.name

    @property
    def start(self) -> str:
        """When it was started, in words; empty if that is unknown."""
        return describe_start(self.started_at)

    @property
    def started_at(self) -> float | None:
        """When it was started, in Unix seconds; None if that is unknown."""
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return None if self.created is None else self.created.timestamp()
        return None

    @property
    def history(self) -> RunHistory:
        """The run so far."""
        self._read()
        return self._history

    def _read(self) -> None:
        events, self._unread = self._unread, []
        self._history.feed(events)

    @property
    def folder(self) -> Path | None:
        return self._folder

    def folder_at(self, epoch: int | None) -> Path | None:
        """The folder with what was saved of that epoch; None as an epoch is the end.

        Of epochs before its own, that of the run that it has continued.
        """
        if epoch is None or not self._parts:
            return self._folder
        # What a run starts with is saved under the epoch before its first one.
        own = [folder for first, folder in self._parts if first - 1 <= epoch]
        return own[-1] if own else self._parts[0][1]

    @property
    def own_folders(self) -> frozenset[Path]:
        """Its folder, and the one of the run that it continues, whose curves are its own."""
        continued = self._continued.folder if self._continued is not None else None
        return frozenset(each for each in (self._folder, continued) if each is not None)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.history.started.classes if self.history.started is not None else ()

    def feed(self, events: Iterable[Event]) -> None:
        """Adds the events of a live run; they are read when the history is needed, many at a time."""
        for event in events:
            if isinstance(event, Started | Finished) and event.run is not None:
                self._folder = Path(event.run)
                self._take_over(event.first_epoch if isinstance(event, Started) else 1)
            elif isinstance(event, WeightsLoaded) and event.notice:
                self.weights_notice = event.notice
            self._unread.append(event)
        if len(self._unread) > _MAX_UNREAD:
            # Nobody may look for hours.
            self._read()

    def continue_from(self, previous: RunRecord) -> None:
        """Keeps the curves and images of the run that this one resumes or continues."""
        self._continued = previous
        self._history = previous.history
        self.images, self.image_names = previous.images, previous.image_names
        self.weights_notice = self.weights_notice or previous.weights_notice

    def _take_over(self, first_epoch: int) -> None:
        """A run that was resumed is the same one: it keeps its title and the time of its start."""
        previous, self._continued = self._continued, None
        if previous is not None and previous.folder == self._folder:
            self.label, self.created = previous.label, previous.created
            self._parts = previous._parts
        elif previous is not None and previous.folder is not None and self._folder is not None:
            before = previous._parts or ((1, previous.folder),)
            self._parts = (*before, (first_epoch, self._folder))

    def set_images_from(self, dataset: Dataset) -> None:
        """Takes the example images that the training uses from the data set."""
        shown = choose_sample_images(dataset.test, DISPLAYED_COUNT)
        self.images = shown.images
        self.image_names = tuple(dataset.classes[label] for label in shown.labels)

    # Layers and their feature maps

    def layer_to_show(self, wanted: Iterable[str | None]) -> str | None:
        """The first of `wanted` that this run has, else the first convolution.

        None before there is anything to show.
        """
        known = {node.id for node in self._layers}
        if self.history.is_empty and self._folder is None and not len(self.images):
            return None
        for node_id in wanted:
            if node_id in known:
                return node_id
        convolutions = (node.id for node in self._layers if node.layer.family is Family.CONVOLUTION)
        return next(convolutions, next((node.id for node in self._layers), None))

    def newest_maps(self, node_id: str, image: int) -> FeatureMaps | None:
        """The maps that the running training sent last, if they are of this layer and example image."""
        newest = self.history.snapshot.payload if self.history.snapshot is not None else None
        if isinstance(newest, FeatureMaps) and (newest.node_id, newest.image) == (node_id, image):
            return newest
        return None

    @property
    def newest_maps_epoch(self) -> float:
        """The epochs done when the running training sent its last maps; fractional, 0 without maps."""
        return self.history.snapshot.epoch if self.history.snapshot is not None else 0.0

    @property
    def last_epoch(self) -> int:
        """The last completed epoch; 0 before the first."""
        return self.history.epochs[-1].epoch if self.history.epochs else 0

    @property
    def best_epoch(self) -> int | None:
        """The best epoch so far; None before the first."""
        finished = self.history.finished
        if finished is not None and finished.best_epoch is not None:
            return finished.best_epoch
        return next((each.epoch for each in reversed(self.history.epochs) if each.best), None)


def _origin(snapshot: RunSnapshot) -> tuple[str, datetime | None]:
    """The data set and the date, as far as the run says so."""
    run, name, created = snapshot.run, "", None
    with contextlib.suppress(RunError):
        name = run.dataset_name
    with contextlib.suppress(RunError):
        created = run.created
    return name, created


def saved_images(snapshot: RunSnapshot) -> tuple[np.ndarray, tuple[str, ...]]:
    """The example images saved with the run's feature maps, uint8 (N, C, H, W), and the class of each.

    Both are empty if there are none yet or they cannot be read.
    """
    try:
        for epoch in snapshot.snapshots[:1]:
            saved = snapshot.run.snapshot(epoch)
            return saved.images, tuple(snapshot.run.classes[label] for label in saved.labels)
    except (RunError, IndexError):
        # The curves are worth showing even without images.
        pass
    return np.empty((0, 3, 1, 1), np.uint8), ()


def _enabled(node: Node) -> Iterable[Node]:
    """The node and all enabled nodes below it."""
    yield node
    for child in node.children:
        if child.enabled:
            yield from _enabled(child)
