"""Features on disk: found again, never misread, within limits."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.training.frozen import store
from cnnstudio.training.frozen.store import (
    BFLOAT16,
    FLOAT32,
    NotKept,
    features_folder,
    find_features,
    keep_features,
    load_or_compute,
    require_room,
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def test_bfloat16_is_read_as_float32_without_a_difference() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    found = load_or_compute("key", bits.shape, BFLOAT16, lambda first: iter([bits]))
    expected = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
    for rows in (slice(None), slice(3, 9), np.array([5, 1])):
        assert found[rows].dtype == np.float32
        assert found[rows].tobytes() == expected[rows].tobytes()


def test_float32_is_not_copied_from_its_file() -> None:
    values = np.ones((4, 3), np.float32)
    found = load_or_compute("key", values.shape, FLOAT32, lambda first: iter([values]))
    assert np.shares_memory(found[:-1], found.values)


def test_one_type_is_not_taken_for_the_other() -> None:
    """As many bytes, under the same key: as of a version that kept float32 only."""
    assert keep_features("key", (4, 3), iter([np.ones((4, 3), np.float32)]))
    assert find_features("key", (4, 3))
    assert not find_features("key", (4, 6), BFLOAT16)
    halved = np.full((4, 6), 0x3F80, np.uint16)
    found = load_or_compute("key", (4, 6), BFLOAT16, lambda first: iter([halved]))
    assert found[:].tolist() == np.ones((4, 6)).tolist()
    kept = find_features("key", (4, 3))
    assert kept is not None
    assert kept[:].tolist() == np.ones((4, 3)).tolist()


def test_parts_do_not_add_up_in_memory() -> None:
    parts: list[weakref.ref[np.ndarray]] = []

    def compute(first: int) -> Iterator[np.ndarray]:
        for _ in range(4):
            assert sum(part() is not None for part in parts) <= 1
            part = np.zeros((2, 3), np.float32)
            parts.append(weakref.ref(part))
            yield part
            del part

    load_or_compute("key", (8, 3), FLOAT32, compute)
    assert len(parts) == 4


def test_features_are_on_the_disk_before_they_have_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[bool]()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(any(path.suffix == ".features" for path in features_folder().iterdir()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", note)
    load_or_compute("key", (2, 3), FLOAT32, lambda first: iter([np.zeros((2, 3), np.float32)]))
    assert synced[:1] == [False]


def test_the_oldest_features_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_BYTES", 1000)

    def compute() -> list[np.ndarray]:
        return [np.ones((10, 10), np.float32)]

    for key in ("a", "b", "c"):
        load_or_compute(key, (10, 10), FLOAT32, lambda first: iter(compute()))
    kept = list(features_folder().iterdir())
    assert len(kept) == 2


def test_a_full_disk_costs_only_the_next_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(store, "_MIN_FREE_BYTES", 2**70)
    found = load_or_compute("key", (2, 3), FLOAT32, lambda first: iter([np.ones((2, 3), np.float32)]))
    assert found[:].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert not list(features_folder().iterdir())


def test_features_of_another_size_are_computed_again() -> None:
    load_or_compute("key", (2, 3), FLOAT32, lambda first: iter([np.ones((2, 3), np.float32)]))
    found = load_or_compute("key", (2, 4), FLOAT32, lambda first: iter([np.zeros((2, 4), np.float32)]))
    assert found[:].shape == (2, 4)


def test_what_was_computed_before_a_stop_is_not_computed_again() -> None:
    begun = list[int]()

    def compute(first: int) -> Iterator[np.ndarray]:
        begun.append(first)
        yield np.full((1, 3), first, np.float32)
        if len(begun) < 3:
            raise Cancelled
        yield np.full((1, 3), first + 1, np.float32)

    for _ in range(2):
        with pytest.raises(Cancelled):
            load_or_compute("key", (4, 3), FLOAT32, compute)
    assert load_or_compute("key", (4, 3), FLOAT32, compute)[:][:, 0].tolist() == [0, 1, 2, 3]
    assert begun == [0, 1, 2]
    assert len(list(features_folder().iterdir())) == 1


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_who_computes_the_same_at_the_same_time_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """The other ends right after the first file was given a name, whatever name that is."""
    begins, ends = threading.Event(), threading.Event()
    computed = list[int]()

    def compute_elsewhere(first: int) -> Iterator[np.ndarray]:
        yield np.zeros((1, 3), np.float32)
        begins.set()
        assert ends.wait(60)
        if is_cancelled:
            raise Cancelled
        yield np.ones((1, 3), np.float32)

    def elsewhere() -> None:
        with contextlib.suppress(Cancelled):
            load_or_compute("key", (2, 3), FLOAT32, compute_elsewhere)

    other = threading.Thread(target=elsewhere)
    replace = os.replace

    def replace_and_wait(source: str, target: str) -> None:
        replace(source, target)
        if threading.current_thread() is not other and not ends.is_set():
            ends.set()
            other.join()

    def compute(first: int) -> Iterator[np.ndarray]:
        computed.append(first)
        yield np.zeros((1, 3), np.float32)
        yield np.ones((1, 3), np.float32)

    monkeypatch.setattr("os.replace", replace_and_wait)
    other.start()
    assert begins.wait(60)
    found = load_or_compute("key", (2, 3), FLOAT32, compute)
    assert found[:].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert computed == [0]
    kept = find_features("key", (2, 3))
    assert kept is not None
    assert kept[:].tolist() == found[:].tolist()


def test_what_a_killed_process_was_writing_is_removed_by_the_next_one() -> None:
    features_folder().mkdir(parents=True)
    (features_folder() / f".{'0' * 32}.features.0123abcd.tmp").write_bytes(b"killed")
    load_or_compute("key", (2, 3), FLOAT32, lambda first: iter([np.ones((2, 3), np.float32)]))
    (kept,) = features_folder().iterdir()
    assert kept.suffix == ".features"


def test_a_stop_before_anything_was_computed_leaves_nothing_behind() -> None:
    def compute(first: int) -> Iterator[np.ndarray]:
        raise Cancelled
        yield

    with pytest.raises(Cancelled):
        load_or_compute("key", (2, 3), FLOAT32, compute)
    assert not features_folder().exists() or not list(features_folder().iterdir())


def test_a_second_stop_before_anything_more_keeps_what_was_begun() -> None:
    def compute(first: int) -> Iterator[np.ndarray]:
        if not first:
            yield np.ones((2, 3), np.float32)
        raise Cancelled

    for _ in range(3):
        with pytest.raises(Cancelled):
            load_or_compute("key", (4, 3), FLOAT32, compute)
    (path,) = features_folder().iterdir()
    assert path.stat().st_size == 2 * 3 * 4


@pytest.mark.parametrize("rows", [1, 3])
def test_another_number_of_images_than_expected_is_reported(rows: int) -> None:
    with pytest.raises(DataError, match="The images changed"):
        load_or_compute("key", (2, 3), FLOAT32, lambda first: iter([np.ones((rows, 3), np.float32)]))
    assert find_features("key", (2, 3)) is None


def _disk(free: int) -> object:
    """A disk of which so many bytes are free without the features."""
    return lambda folder: SimpleNamespace(
        free=free - sum(path.stat().st_size for path in features_folder().glob("*"))
    )


def test_the_oldest_features_make_room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", _disk(store._MIN_FREE_BYTES + 1000))
    for age, key in enumerate(("a", "b", "c")):
        found = load_or_compute(key, (10, 10), FLOAT32, lambda first: iter([np.ones((10, 10), np.float32)]))
        assert found[:].sum() == 100
        os.utime(store._path(key, FLOAT32), (age, age))
    assert [find_features(key, (10, 10)) is None for key in ("a", "b", "c")] == [True, False, False]


def test_nothing_is_deleted_for_features_that_find_no_room_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_features("a", (10, 10), iter([np.ones((10, 10), np.float32)]))
    monkeypatch.setattr("shutil.disk_usage", _disk(store._MIN_FREE_BYTES + 1000))
    assert keep_features("b", (100, 10), iter([])) is None
    assert find_features("a", (10, 10))


def test_many_features_that_find_no_room_are_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_UNKEPT_BYTES", 100)
    monkeypatch.setattr(store, "_MIN_FREE_BYTES", 2**70)
    with pytest.raises(NotKept, match="would take 400 B: there is not enough space on the disk of"):
        load_or_compute("key", (10, 10), FLOAT32, lambda first: iter([]))
    with pytest.raises(NotKept, match="not enough space"):
        require_room(400)
    require_room(100)


def test_features_of_the_training_itself_count_as_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training whose features are there needs no more room on a disk that they have filled."""
    monkeypatch.setattr(store, "_MAX_UNKEPT_BYTES", 100)
    monkeypatch.setattr("shutil.disk_usage", _disk(store._MIN_FREE_BYTES + 500))
    assert keep_features("a", (10, 10), iter([np.ones((10, 10), np.float32)]))
    require_room(400)
    with pytest.raises(NotKept):
        require_room(501)
