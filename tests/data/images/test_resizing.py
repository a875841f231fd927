"""Data sets converted to the shape that a network takes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError, Dataset, Split
from cnnstudio.data.images import resizing
from cnnstudio.data.images.resizing import resize


def half_dark(shape: tuple[int, int, int], count: int = 3) -> Dataset:
    """Images with a dark left half and a bright right half, whose channels differ."""
    channels, _, width = shape
    images = np.full((count, *shape), 40, np.uint8)
    images[..., width // 2 :] = 200
    images[:, channels - 1] //= 2
    split = Split(images, np.arange(count, dtype=np.int64) % 2)
    return Dataset("x", "X", ("a", "b"), split, split)


def test_a_data_set_of_the_right_shape_is_returned_unchanged() -> None:
    data = half_dark((3, 8, 8))
    assert resize(data, (3, 8, 8)) is data


@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 4, 4), (3, 12, 5), (1, 8, 8), (1, 28, 28)])
@pytest.mark.parametrize("source", [(3, 8, 8), (1, 8, 8), (3, 6, 10)])
def test_images_keep_their_content_at_any_shape(
    source: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    data = resize(half_dark(source), shape)
    assert data.shape == shape
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.tolist() == [0, 1, 0]
    left, right = data.test.images[0][..., 0], data.test.images[0][..., -1]
    assert (left.astype(int) + 60 < right).all()


def test_a_large_result_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    data = half_dark((3, 8, 8), count=200)
    reports: list[Progress] = []
    in_memory = resize(data, (3, 5, 5), reports.append)
    monkeypatch.setattr(resizing, "_MIN_CACHED_BYTES", 0)
    cached = resize(data, (3, 5, 5), reports.append)
    assert reports.count(Progress(400, 400, "Resizing X to 3 × 5 × 5: 400 of 400 images")) == 2
    with monkeypatch.context() as patch:
        patch.setattr(resizing, "resize_image", None)
        again = resize(data, (3, 5, 5))
    assert in_memory.fingerprint == cached.fingerprint == again.fingerprint
    assert (again.name, again.title, again.classes) == (data.name, data.title, data.classes)
    other = resize(half_dark((3, 8, 8), count=100), (3, 5, 5))
    assert len(other.train) == 100


@pytest.mark.parametrize("min_cached_bytes", [0, 10**9])
def test_resizing_can_be_cancelled(
    monkeypatch: pytest.MonkeyPatch, home: Path, min_cached_bytes: int
) -> None:
    monkeypatch.setattr(resizing, "_MIN_CACHED_BYTES", min_cached_bytes)
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        resize(half_dark((3, 8, 8), count=5_000), (3, 5, 5), lambda report: cancel.set(), cancel.is_set)
    assert not list(home.rglob("*.pixels"))


def test_gray_is_the_perceived_brightness() -> None:
    images = np.zeros((1, 3, 2, 2), np.uint8)
    images[0, :, 0, 0], images[0, :, 0, 1], images[0, :, 1, 0] = (255, 255, 255), (255, 0, 0), (0, 255, 0)
    split = Split(images, np.zeros(1, np.int64))
    gray = resize(Dataset("x", "X", ("a",), split, split), (1, 2, 2)).train.images[0, 0]
    assert gray.tolist() == [[255, 76], [150, 0]]


def test_downsizing_averages_instead_of_picking() -> None:
    stripes = np.zeros((1, 1, 32, 32), np.uint8)
    stripes[..., ::2] = 255
    split = Split(stripes, np.zeros(1, np.int64))
    small = resize(Dataset("x", "X", ("a",), split, split), (1, 8, 8)).train.images
    assert abs(small.astype(float).mean() - 127.5) < 5
    assert small.std() < 30


def test_images_of_several_chunks_stay_in_order() -> None:
    images = (np.arange(1000) % 251).astype(np.uint8)[:, None, None, None].repeat(4, 2).repeat(4, 3)
    split = Split(images, np.zeros(1000, np.int64))
    resized = resize(Dataset("x", "X", ("a",), split, split), (3, 6, 6))
    assert np.array_equal(resized.train.images[:, 2, 3, 3], images[:, 0, 0, 0])


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_numbers_of_channels_are_refused(channels: int) -> None:
    with pytest.raises(
        DataError, match=rf"with {channels} channels, but images have 3 \(color\) or 1 \(gray\)"
    ):
        resize(half_dark((3, 8, 8)), (channels, 8, 8))


def test_a_result_larger_than_the_disk_is_refused_before_anything_is_written() -> None:
    with pytest.raises(DataError, match=r"of X at 3 × 1000000 × 1000000 need 18\.0 TB on disk, but only"):
        resize(half_dark((3, 8, 8)), (3, 1_000_000, 1_000_000))
