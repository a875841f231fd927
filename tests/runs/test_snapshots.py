"""Saved snapshots of what the layers compute for the example images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnstudio.insight.feature_maps import feature_maps
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs import snapshot_recorder
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.snapshots import MAX_BYTES, Snapshot, size_limits
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.sample_images import choose_sample_images
from tests.training.images import colors
from tests.training.networks import network, tiny

DATA = colors()
RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=0.01)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"))
    return Run.open(tmp_path / "run")


def test_a_snapshot_has_the_maps_of_every_layer(run: Run) -> None:
    assert run.snapshot_epochs == [0, 1, 2]
    snapshot = run.snapshot(2)
    shown = choose_sample_images(DATA.test, 5)
    np.testing.assert_array_equal(snapshot.images, shown.images)
    np.testing.assert_array_equal(snapshot.labels, shown.labels)
    model = run.model("last")
    for node_id in (node.id for node in run.network.walk()):
        for image in range(5):
            kept = snapshot.feature_maps(node_id, image)
            now = feature_maps(model, choose_sample_images(DATA.test).images, node_id, image)
            assert kept is not None
            assert now is not None
            assert (kept.node_id, kept.image, kept.total) == (node_id, image, now.total)
            assert (kept.low, kept.high) == pytest.approx((now.low, now.high))
            assert kept.dead == now.dead
            np.testing.assert_allclose(kept.maps, now.maps, atol=1)


def test_the_snapshots_before_and_after_training_differ(run: Run) -> None:
    first, last = (run.snapshot(epoch).feature_maps("dense_1") for epoch in (0, 2))
    assert first is not None
    assert last is not None
    assert (first.low, first.high) != (last.low, last.high)


def test_the_maps_are_read_only(run: Run) -> None:
    maps = run.snapshot(1).feature_maps("conv2d_1")
    assert maps is not None
    assert not maps.maps.flags.writeable


def test_a_missing_layer_is_none_and_a_missing_epoch_is_an_error(run: Run) -> None:
    assert run.snapshot(1).feature_maps("conv2d_99") is None
    with pytest.raises(RunError, match="no snapshot of epoch 7"):
        run.snapshot(7)
    with pytest.raises(RunError, match="no snapshot of epoch 7"):
        _ = Snapshot(run.folder / "snapshots" / "epoch-007.npz", 7).images


@pytest.mark.parametrize("keep", [0, 10, 300, -30])
def test_a_truncated_snapshot_is_an_error(run: Run, keep: int) -> None:
    path = run.folder / "snapshots" / "epoch-001.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        run.snapshot(1).feature_maps("conv2d_1")


def test_a_flipped_bit_is_an_error_or_harmless(run: Run) -> None:
    path = run.folder / "snapshots" / "epoch-001.npz"
    data = path.read_bytes()
    refused = 0
    for offset in range(0, len(data), 97):
        damaged = bytearray(data)
        damaged[offset] ^= 0x10
        path.write_bytes(damaged)
        try:
            run.snapshot(1).feature_maps("conv2d_2", 1)
        except RunError:
            refused += 1
    assert refused


def test_an_array_of_objects_is_never_unpickled(run: Run) -> None:
    path = run.folder / "snapshots" / "epoch-001.npz"
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RunError, match="damaged"):
        run.snapshot(1).feature_maps("conv2d_1")


@pytest.mark.parametrize(
    "shapes",
    [
        [(32, 30, 30), (64,)],
        [(512, 224, 224)] * 40,
        [(8, 8, 8)] * 2000,
        [(70_000,), (3, 1, 9000)],
    ],
)
def test_the_size_of_a_snapshot_is_bounded_for_any_network(shapes: list[tuple[int, ...]]) -> None:
    max_maps, side = size_limits(shapes, 5)
    assert max_maps <= 64
    assert side <= 64
    maps = sum(min(s[0], max_maps) * min(s[1], side) * min(s[2], side) for s in shapes if len(s) == 3)
    values = sum(min(s[0], 4 * max_maps) for s in shapes if len(s) == 1)
    assert 5 * (maps + values) <= MAX_BYTES


def test_a_large_network_has_fewer_and_smaller_maps(tmp_path: Path) -> None:
    wide = network(Conv2D(80, padding="same"), Flatten(), Dense(3), input=Shape.of(3, 70, 35))
    start_run(wide, colors(16, 8), RECIPE.replace(epochs=1), RunOptions(folder=tmp_path / "run", threads=1))
    maps = Run.open(tmp_path / "run").snapshot(1).feature_maps("conv2d_1")
    assert maps is not None
    assert maps.maps.shape == (64, 64, 32)
    assert maps.total == 80


def test_the_number_of_snapshots_of_a_long_run_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_recorder, "_MAX_SNAPSHOTS", 4)
    start_run(tiny(), DATA, RECIPE.replace(epochs=10), RunOptions(folder=tmp_path / "run"))
    assert Run.open(tmp_path / "run").snapshot_epochs == [0, 3, 6, 9, 10]
