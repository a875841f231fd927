"""Loads the feature maps of runs in a thread, so that a slow drive does not block the window."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.run import Run, RunError

_CACHE_SIZE = 64


@dataclass(frozen=True)
class MapRequest:
    """The feature maps of a layer for an example image, as of the end of an epoch."""

    folder: Path
    epoch: int
    node_id: str
    image: int


@dataclass(frozen=True)
class LoadedMaps:
    """The answer to a request: the newest maps saved up to its epoch."""

    epoch: int | None
    """The epoch of the maps, maybe an earlier one: long runs do not save every epoch. None without maps."""
    maps: FeatureMaps | None
    problem: str = ""
    """Why there are no maps, one sentence; empty if none were saved."""


class MapLoader(QObject):
    """A cache of loaded maps. Loads one request at a time and emits `loaded` after each."""

    loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cache: OrderedDict[MapRequest, LoadedMaps] = OrderedDict()
        self._task: IoTask | None = None
        self._may_be_outdated = False
        """Whether newer maps may have been saved since the current request began."""

    def get(self, request: MapRequest) -> LoadedMaps | None:
        """The maps from the cache, or None while they are loaded: call again after `loaded`.

        While another request is being loaded this one is not queued: of the many that a drag over the
        timeline makes, only those are read that are still wanted when the thread is free.
        """
        if request in self._cache:
            self._cache.move_to_end(request)
            return self._cache[request]
        if self._task is None:
            self._may_be_outdated = False
            self._task = IoTask(partial(_read, request), self)
            self._task.done.connect(partial(self._on_done, request))
            self._task.failed.connect(lambda text: self._on_done(request, LoadedMaps(None, None, str(text))))
            self._task.start()
        return None

    def discard_outdated(self) -> None:
        """Discards answers with maps of an earlier epoch than requested: newer ones may be saved by now.

        So may they be for the request that is being read: its answer is then discarded as well.
        """
        self._may_be_outdated = self._task is not None
        for request, loaded in list(self._cache.items()):
            if loaded.epoch != request.epoch:
                del self._cache[request]

    def clear(self) -> None:
        """Discards everything, because another run is shown or the same one was resumed."""
        self._cache.clear()
        self.close()

    def close(self) -> None:
        """Ignores the result of the current request."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_done(self, request: MapRequest, loaded: object) -> None:
        assert isinstance(loaded, LoadedMaps)
        self._task = None
        if not self._may_be_outdated or loaded.epoch == request.epoch:
            self._cache[request] = loaded
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        self.loaded.emit()


def _read(request: MapRequest, progress: ProgressFunction, cancelled: CancelFunction) -> LoadedMaps:
    epoch = None
    try:
        run = Run.open(request.folder)
        epoch = max((epoch for epoch in run.snapshot_epochs if epoch <= request.epoch), default=None)
        if epoch is None:
            return LoadedMaps(None, None)
        return LoadedMaps(epoch, run.snapshot(epoch).feature_maps(request.node_id, request.image))
    except RunError as error:
        return LoadedMaps(epoch, None, str(error))
