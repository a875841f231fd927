"""Mapped images, and asking for them before they are looked at."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.data.storage import memmap as mapping
from cnnstudio.data.storage.memmap import Ahead, map_pixels


class Listening(mmap.mmap):
    """Notes what the system is asked for."""

    asked: list[tuple[int, int]]

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:  # type: ignore[override]  # positional
        super().madvise(option, start, length)
        self.asked.append((start, start + length))


def test_a_file_is_mapped_read_only_and_of_one_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    pixels = np.arange(48, dtype=np.uint8).reshape(2, 4, 2, 3)
    path.write_bytes(pixels.tobytes())
    mapped = map_pixels(path, (2, 4, 2, 3))
    assert np.array_equal(mapped, pixels)
    assert not mapped.flags.writeable
    with pytest.raises(ValueError, match="reshape"):
        map_pixels(path, (3, 4, 2, 3))


SIZE = 3 * 32 * 32


def listening(path: Path) -> tuple[Listening, np.ndarray]:
    """A map of 50 images, and these."""
    path.write_bytes(bytes(50 * SIZE))
    with path.open("rb") as file:
        memory = Listening(file.fileno(), 0, access=mmap.ACCESS_READ)
    memory.asked = []
    return memory, np.frombuffer(memory, np.uint8).reshape(50, 32, 32, 3)


can_be_asked = pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="this system cannot be asked")


@can_be_asked
def test_all_of_an_image_is_asked_for_and_nothing_far_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_STAYING_SHARE", 0)
    memory, pixels = listening(tmp_path / "pixels")
    ahead = Ahead.of(pixels[10:])
    assert ahead is not None
    for _ in range(2):  # what does not stay is asked for each time
        memory.asked.clear()
        ahead.ask([0, 7, 39])
        for row, (start, stop) in zip((10, 17, 49), memory.asked, strict=True):
            assert start % mmap.PAGESIZE == 0
            assert row * SIZE - mmap.PAGESIZE < start <= row * SIZE
            assert stop == (row + 1) * SIZE
        assert not ahead.is_done


@can_be_asked
def test_images_that_can_stay_are_all_asked_for_and_then_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_STRETCH", 4 * SIZE)
    memory, pixels = listening(tmp_path / "pixels")
    ahead = Ahead.of(pixels[9:])
    assert ahead is not None
    steps = 0
    while not ahead.is_done:
        ahead.ask([0])
        steps += 1
    assert steps == 11  # for 41 images
    asked = np.zeros(50 * SIZE, bool)
    for start, stop in memory.asked:
        asked[start:stop] = True
    assert asked[9 * SIZE :].all()


def test_images_in_memory_are_not_asked_for() -> None:
    assert Ahead.of(np.zeros((2, 4, 4, 3), np.uint8)) is None
