"""How active the layers of a run are at an epoch, from the snapshots in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.run import Run, RunError


@dataclass(frozen=True)
class LayerActivity:
    """Of one layer, over the example images."""

    share: float
    """The fraction of its values that are above 0."""
    dead: int
    """Its units (maps, or values of a flat layer) that are 0 for every example image."""
    total: int


Activities = Mapping[str, LayerActivity]
"""By the ids of the layers."""


def share_above_zero(maps: FeatureMaps) -> float:
    """The fraction of the values above 0, as exactly as 256 levels tell."""
    if maps.values is not None:
        return float((maps.values > 0).mean())
    span = maps.high - maps.low
    if span <= 0:
        return float(maps.low > 0)
    return float((maps.maps > max(-maps.low / span * 255, 0)).mean())


class ActivityLoader(QObject):
    """Reads the activity of all layers at an epoch in a thread, the newest request first."""

    loaded = Signal(object, object)
    """The epoch of the snapshot, or None if there is none, and the Activities."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: IoTask | None = None

    def load(self, folder: Path, epoch: int, layers: tuple[str, ...]) -> None:
        """Reads the newest snapshot up to `epoch`; an earlier request is dropped."""
        self.cancel()
        self._task = IoTask(partial(_read, folder, epoch, layers), self)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(lambda _: self._on_done((None, {})))
        self._task.start()

    def cancel(self) -> None:
        """Ignores what is still being read."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_done(self, result: object) -> None:
        assert isinstance(result, tuple)
        self._task = None
        self.loaded.emit(*result)


def _read(
    folder: Path, epoch: int, layers: tuple[str, ...], progress: ProgressFunction, cancelled: CancelFunction
) -> tuple[int | None, dict[str, LayerActivity]]:
    """Raises RunError, Cancelled."""
    run = Run.open(folder)
    newest = run.latest_snapshot_epoch(epoch)
    if newest is None:
        return None, {}
    snapshot = run.snapshot(newest)
    found: dict[str, LayerActivity] = {}
    # Those of the other layers are worth showing if one is damaged.
    with contextlib.suppress(RunError), snapshot.kept_open():
        for layer in layers:
            raise_if_cancelled(cancelled)
            with contextlib.suppress(RunError):
                maps = snapshot.all_feature_maps(layer)
                if maps:
                    share = float(np.mean([share_above_zero(each) for each in maps]))
                    found[layer] = LayerActivity(share, len(maps[0].dead), maps[0].total)
    return newest, found
