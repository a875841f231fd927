"""How active layers are, as read from snapshots of a run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, ignore_progress, never_cancelled
from cnnstudio.gui.runs.activity import _read
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.networks import tiny

LAYERS = ("conv2d_1", "conv2d_2", "dense_1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    start_run(tiny(), colors(), Recipe(epochs=1, batch_size=32), RunOptions(folder=folder))
    return folder


def test_the_share_of_values_above_zero_is_that_of_all_example_images(folder: Path) -> None:
    epoch, found = _read(folder, 7, (*LAYERS, "deleted_9"), ignore_progress, never_cancelled)
    assert epoch == 1
    assert set(found) == set(LAYERS)
    snapshot = Run.open(folder).snapshot(1)
    shares = []
    for image in range(len(snapshot.images)):
        maps = snapshot.feature_maps("dense_1", image)
        assert maps is not None
        assert maps.values is not None
        shares.append((maps.values > 0).mean())
    assert found["dense_1"].share == pytest.approx(np.mean(shares))
    assert found["conv2d_1"].total > 0
    with pytest.raises(Cancelled):
        _read(folder, 1, LAYERS, ignore_progress, lambda: True)


def test_one_damaged_layer_does_not_hide_the_others(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    (copy / "snapshots").mkdir(parents=True)
    (copy / "run.json").write_bytes((folder / "run.json").read_bytes())
    name = "snapshots/epoch-001.npz"
    with zipfile.ZipFile(folder / name) as before, zipfile.ZipFile(copy / name, "w") as after:
        for member in before.namelist():
            after.writestr(member, b"broken" if member == "conv2d_2.npy" else before.read(member))
    assert set(_read(copy, 1, LAYERS, ignore_progress, never_cancelled)[1]) == {"conv2d_1", "dense_1"}
    (copy / name).write_bytes(b"broken")
    assert _read(copy, 1, LAYERS, ignore_progress, never_cancelled) == (1, {})
