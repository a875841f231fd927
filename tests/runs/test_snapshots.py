"""Saved snapshots of what the layers compute for the example images."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnstudio.insight.feature_maps import feature_maps
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs import snapshot_recorder, snapshots
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
        every = snapshot.all_feature_maps(node_id)
        assert [each.image for each in every] == [0, 1, 2, 3, 4]
        again = snapshot.feature_maps(node_id, 3)
        assert again is not None
        np.testing.assert_array_equal(every[3].maps, again.maps)
        assert (every[3].low, every[3].high, every[3].dead) == (again.low, again.high, again.dead)
    assert snapshot.all_feature_maps("conv2d_99") == []


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


def test_a_snapshot_that_is_kept_open_is_opened_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    original = snapshots.open_regular

    def counting(path: Path, limit: int) -> Any:
        opened.append(path)
        return original(path, limit)

    monkeypatch.setattr(snapshots, "open_regular", counting)
    snapshot = run.snapshot(1)
    with snapshot.kept_open():
        for node_id in ("conv2d_1", "conv2d_2", "dense_1"):
            assert snapshot.all_feature_maps(node_id)
    assert len(opened) == 1
    assert snapshot.feature_maps("conv2d_1") is not None
    assert len(opened) > 1, "it stayed open"


def test_the_latest_snapshot_up_to_an_epoch(run: Run) -> None:
    assert [run.latest_snapshot_epoch(epoch) for epoch in (0, 1, 2, 9)] == [0, 1, 2, 2]
    (run.folder / "snapshots" / "epoch-001.npz").unlink()
    (run.folder / "snapshots" / "epoch-000.npz").unlink()
    assert [run.latest_snapshot_epoch(epoch) for epoch in (0, 1, 2)] == [None, None, 2]


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


def rewrite(run: Run, **arrays: object) -> Snapshot:
    """The snapshot of epoch 1 with these arrays replaced."""
    path = run.folder / "snapshots" / "epoch-001.npz"
    with np.load(path) as found:
        content = dict(found)
    np.savez_compressed(path, **(content | arrays))  # type: ignore[arg-type]  # its stub takes names for options
    return run.snapshot(1)


def about(**changes: object) -> npt.NDArray[np.uint8]:
    """The description of the maps of `conv2d_1`, for five images of four maps."""
    content = {"scales": [[0.0, 1.0]] * 5, "dead": [], "total": 4} | changes
    return np.frombuffer(json.dumps({"conv2d_1": content}).encode(), np.uint8)


@pytest.mark.parametrize(
    "maps",
    [
        np.full((5, 4, 6, 6), np.nan),
        np.zeros((5, 4, 6, 6), np.float32),
        np.zeros((5, 4, 6, 6), np.int8),
        np.zeros((5, 4, 6, 6), np.bool_),
        np.zeros((5, 4, 6, 6), "M8[s]"),
        np.zeros((5, 4, 6, 6), [("a", "u1")]),
        np.zeros((4, 6, 6), np.uint8),
        np.zeros((5, 4, 6), np.uint8),
        np.zeros((3, 4, 6, 6), np.uint8),
        np.zeros((5, 0, 6, 6), np.uint8),
        np.zeros((5, 4, 0, 6), np.uint8),
        np.zeros((0, 4, 6, 6), np.uint8),
        np.zeros((5, 9, 6, 6), np.uint8),
        np.uint8(3),
    ],
)
def test_maps_of_another_type_or_shape_are_damage(run: Run, maps: npt.NDArray[Any]) -> None:
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        rewrite(run, conv2d_1=maps, about=about()).feature_maps("conv2d_1")


@pytest.mark.parametrize(
    "changes",
    [
        {"scales": [[0.0, float("nan")]] * 5},
        {"scales": [[0.0, float("inf")]] * 5},
        {"scales": [[0.0, 1e300]] * 5},
        {"scales": [[0, 10**400]] * 5},
        {"scales": [["a", "b"]] * 5},
        {"scales": [[True, 1]] * 5},
        {"scales": [0.0] * 5},
        {"scales": {}},
        {"dead": [4]},
        {"dead": [-1]},
        {"dead": [0.5]},
        {"dead": 3},
        {"total": 1},
        {"total": "4"},
        {"total": 10**30},
    ],
)
def test_an_impossible_description_of_the_maps_is_damage(run: Run, changes: dict[str, object]) -> None:
    maps = np.zeros((5, 4, 6, 6), np.uint8)
    assert rewrite(run, conv2d_1=maps, about=about()).feature_maps("conv2d_1") is not None
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        rewrite(run, about=about(**changes)).feature_maps("conv2d_1")


@pytest.mark.parametrize(
    "images", [np.zeros((5, 3, 8, 8)), np.zeros((5, 8, 8), np.uint8), np.zeros(0, np.uint8)]
)
def test_example_images_of_another_type_or_shape_are_damage(run: Run, images: npt.NDArray[Any]) -> None:
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        _ = rewrite(run, pictures=images).images


@pytest.mark.parametrize("labels", [np.zeros(4, np.int64), np.full(5, -1), np.zeros(5), np.full(5, 2**40)])
def test_labels_of_another_type_or_number_are_damage(run: Run, labels: npt.NDArray[Any]) -> None:
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        _ = rewrite(run, labels=labels).labels


def test_a_header_that_asks_for_more_memory_than_the_file_has_is_damage(run: Run) -> None:
    path = run.folder / "snapshots" / "epoch-001.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (5, 4, 2**30, 2**30)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("about.npy", header.getvalue() + b"{}")
    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        run.snapshot(1).feature_maps("conv2d_1")


def test_the_exact_values_of_a_flat_layer_are_kept(run: Run) -> None:
    snapshot = run.snapshot(2)
    now = feature_maps(run.model("last"), choose_sample_images(DATA.test).images, "dense_1", 1)
    kept = snapshot.feature_maps("dense_1", 1)
    assert kept is not None
    assert now is not None
    assert kept.values is not None
    assert now.values is not None
    np.testing.assert_allclose(kept.values, now.values, rtol=1e-4, atol=1e-5)
    convolution = snapshot.feature_maps("conv2d_1", 1)
    assert convolution is not None
    assert convolution.values is None


def test_a_snapshot_without_exact_values_as_older_versions_wrote_it_is_read(run: Run) -> None:
    path = run.folder / "snapshots" / "epoch-001.npz"
    with np.load(path) as found:
        old = {name: array for name, array in found.items() if not name.startswith("values of ")}
    np.savez_compressed(path, **old)  # type: ignore[arg-type]  # its stub takes names for options
    maps = run.snapshot(1).feature_maps("dense_1")
    assert maps is not None
    assert maps.values is None


@given(st.binary(min_size=1, max_size=40), st.integers(0, 5000), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_in_a_snapshot_raise_anything_but_damage(
    sound: bytes, tmp_path: Path, data: bytes, offset: int, recompute: bool
) -> None:
    path = tmp_path / "epoch-001.npz"
    if recompute:
        # Behind the checksums of the archive: the bytes of one array are changed, and stored again.
        with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(path, "w") as new:
            for number, name in enumerate(old.namelist()):
                content = bytearray(old.read(name))
                if number == offset % len(old.namelist()):
                    start = offset % len(content)
                    content[start : start + len(data)] = data
                new.writestr(name, bytes(content))
    else:
        start = offset % len(sound)
        path.write_bytes(sound[:start] + data + sound[start + len(data) :])
    snapshot = Snapshot(path, 1)
    for read in (lambda: snapshot.images, lambda: snapshot.labels):
        with contextlib.suppress(RunError):
            read()
    for node_id in ("conv2d_1", "dense_1"):
        with contextlib.suppress(RunError):
            found = snapshot.feature_maps(node_id)
            assert found is None or found.maps.dtype == np.uint8


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a whole snapshot."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    start_run(tiny(), DATA, dataclasses.replace(RECIPE, epochs=1), RunOptions(folder=folder))
    return (folder / "snapshots" / "epoch-001.npz").read_bytes()
