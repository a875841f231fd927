"""Kept data sets come back equal, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnstudio.data.cache import keep, kept
from cnnstudio.data.dataset import Dataset, Split


def small(seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    splits = [
        Split(random.integers(0, 256, (count, 3, 4, 5), dtype=np.uint8), np.arange(count, dtype=np.int64) % 2)
        for count in (6, 4)
    ]
    return Dataset("small", "Small “set”", ("cat", "Größe"), *splits, notes=("one note.",))


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "small.npz"
    keep(path, "key", small())
    back = kept(path, "key")
    assert back is not None
    assert (back.name, back.title, back.classes, back.notes) == (
        "small",
        "Small “set”",
        ("cat", "Größe"),
        ("one note.",),
    )
    assert back.fingerprint == small().fingerprint


def test_another_key_gets_nothing(tmp_path: Path) -> None:
    keep(tmp_path / "small.npz", "key", small())
    assert kept(tmp_path / "small.npz", "other key") is None
    assert kept(tmp_path / "nothing.npz", "key") is None


@pytest.mark.parametrize("place", range(0, 100, 5))
def test_damage_anywhere_is_noticed(tmp_path: Path, place: int) -> None:
    path = tmp_path / "small.npz"
    keep(path, "key", small())
    data = bytearray(path.read_bytes())
    data[len(data) * place // 100] ^= 0x40
    path.write_bytes(data)
    back = kept(path, "key")
    assert back is None or back.fingerprint == small().fingerprint


def test_pixels_that_are_not_those_kept_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "small.npz"
    keep(path, "key", small())
    with np.load(path) as arrays:
        changed = dict(arrays)
    changed["test_images"][0, 0, 0, 0] ^= 1
    np.savez(path, **changed)
    assert kept(path, "key") is None


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_cut_off_file_is_noticed(tmp_path: Path, share: float) -> None:
    path = tmp_path / "small.npz"
    keep(path, "key", small())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert kept(path, "key") is None


def test_a_file_with_pickled_objects_is_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", about=np.array([object()], dtype=object), allow_pickle=True)
    assert kept(tmp_path / "evil.npz", "key") is None


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    keep(tmp_path / "file" / "small.npz", "key", small())
    assert kept(tmp_path / "file" / "small.npz", "key") is None
