"""Feature maps that are saved while older ones are being read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Split
from cnnstudio.gui.runs.map_loader import LoadedMaps, MapLoader, MapRequest
from cnnstudio.runs.run import Run
from cnnstudio.runs.snapshots import Snapshot, snapshot_path, write_snapshot
from tests.gui.canned import feature_maps
from tests.runs.written import WrittenRun


class Reading:
    """A run whose snapshots are read only when the test allows it, as on a slow drive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        WrittenRun(folder)

    def save(self, epoch: int) -> None:
        examples = Split(np.zeros((1, 3, 32, 32), np.uint8), np.array([0]))
        write_snapshot(
            snapshot_path(self.folder, epoch), [feature_maps("conv2d_1", count=2 + epoch)], examples
        )


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    reading = Reading(tmp_path / "run")
    read = Run.snapshot

    def slow(run: Run, epoch: int) -> Snapshot:
        reading.has_begun.set()
        assert reading.may_end.wait(60)
        return read(run, epoch)

    monkeypatch.setattr(Run, "snapshot", slow)
    yield reading
    reading.may_end.set()


@pytest.fixture
def loader(qtbot: QtBot) -> MapLoader:
    return MapLoader()


def load(loader: MapLoader, qtbot: QtBot, request: MapRequest) -> LoadedMaps:
    while (found := loader.get(request)) is None:
        with qtbot.waitSignal(loader.loaded):
            pass
    return found


def test_maps_saved_while_older_ones_are_read_replace_them(
    reading: Reading, loader: MapLoader, qtbot: QtBot
) -> None:
    reading.save(1)
    request = MapRequest(reading.folder, 2, "conv2d_1", 0)
    assert loader.get(request) is None
    assert reading.has_begun.wait(60)

    # The run ends its second epoch while the maps of the first are being read in place of them.
    reading.save(2)
    loader.discard_outdated()
    with qtbot.waitSignal(loader.loaded):
        reading.may_end.set()

    found = load(loader, qtbot, request)
    assert found.epoch == 2
    assert found.maps is not None
    assert len(found.maps.maps) == 4


def test_maps_of_the_requested_epoch_stay_when_newer_ones_are_saved(
    reading: Reading, loader: MapLoader, qtbot: QtBot
) -> None:
    reading.save(1)
    request = MapRequest(reading.folder, 1, "conv2d_1", 0)
    assert loader.get(request) is None
    assert reading.has_begun.wait(60)

    reading.save(2)
    loader.discard_outdated()
    with qtbot.waitSignal(loader.loaded):
        reading.may_end.set()

    found = loader.get(request)
    assert found is not None
    assert found.epoch == 1


def test_a_request_after_newer_maps_were_saved_is_kept(
    reading: Reading, loader: MapLoader, qtbot: QtBot
) -> None:
    reading.may_end.set()
    reading.save(1)
    loader.discard_outdated()
    request = MapRequest(reading.folder, 2, "conv2d_1", 0)
    assert load(loader, qtbot, request).epoch == 1
    found = loader.get(request)
    assert found is not None
    assert found.epoch == 1
