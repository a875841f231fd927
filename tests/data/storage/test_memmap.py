"""Memory-mapped images, and prefetching them."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.data.storage import memmap
from cnnstudio.data.storage.memmap import Prefetcher, map_pixels


class RecordingMap(mmap.mmap):
    """Records what is requested from the system."""

    requested: list[tuple[int, int]]

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:  # type: ignore[override]  # positional
        super().madvise(option, start, length)
        self.requested.append((start, start + length))


def test_a_file_is_mapped_read_only_if_its_size_is_right(tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    pixels = np.arange(48, dtype=np.uint8).reshape(2, 4, 2, 3)
    path.write_bytes(pixels.tobytes())
    mapped = map_pixels(path, (2, 4, 2, 3))
    assert np.array_equal(mapped, pixels)
    assert not mapped.flags.writeable
    with pytest.raises(ValueError, match="reshape"):
        map_pixels(path, (3, 4, 2, 3))


SIZE = 3 * 32 * 32


def recording_map(path: Path) -> tuple[RecordingMap, np.ndarray]:
    """A map of 50 images, and the images."""
    path.write_bytes(bytes(50 * SIZE))
    with path.open("rb") as file:
        memory = RecordingMap(file.fileno(), 0, access=mmap.ACCESS_READ)
    memory.requested = []
    return memory, np.frombuffer(memory, np.uint8).reshape(50, 32, 32, 3)


has_madvise = pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="this system has no madvise")


@has_madvise
def test_exactly_the_pages_of_an_image_are_requested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memmap, "_RESIDENT_FRACTION", 0)
    memory, pixels = recording_map(tmp_path / "pixels")
    prefetcher = Prefetcher.for_array(pixels[10:])
    assert prefetcher is not None
    for _ in range(2):  # images that do not stay in memory are requested each time
        memory.requested.clear()
        prefetcher.prefetch([0, 7, 39])
        for row, (start, stop) in zip((10, 17, 49), memory.requested, strict=True):
            assert start % mmap.PAGESIZE == 0
            assert row * SIZE - mmap.PAGESIZE < start <= row * SIZE
            assert stop == (row + 1) * SIZE
        assert not prefetcher.is_done


@has_madvise
def test_images_that_fit_in_memory_are_all_requested_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memmap, "_SEQUENTIAL_BYTES", 4 * SIZE)
    memory, pixels = recording_map(tmp_path / "pixels")
    prefetcher = Prefetcher.for_array(pixels[9:])
    assert prefetcher is not None
    steps = 0
    while not prefetcher.is_done:
        prefetcher.prefetch([0])
        steps += 1
    assert steps == 11  # for 41 images
    requested = np.zeros(50 * SIZE, bool)
    for start, stop in memory.requested:
        requested[start:stop] = True
    assert requested[9 * SIZE :].all()


def test_images_in_memory_need_no_prefetcher() -> None:
    assert Prefetcher.for_array(np.zeros((2, 4, 4, 3), np.uint8)) is None
