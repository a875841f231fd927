"""Pictures that stay on the disk: the system brings them into memory as they are looked at."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from cnnstudio.data.dataset import Pixels


def map_pixels(path: Path, shape: tuple[int, int, int, int]) -> Pixels:
    """The file's bytes as read-only (N, H, W, C). Raises OSError; ValueError for a file of another size."""
    if not shape[0]:
        return np.empty(shape, np.uint8)  # no system maps an empty file
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, np.uint8).reshape(shape)


class Ahead:
    """Asks the system for mapped pictures before they are looked at.

    Who looks at random pictures of a map waits for the disk at each of them; those that were asked for come
    side by side. From a disk that is 5 to 15 times as fast, and it costs little where they are in memory.
    """

    def __init__(self, memory: mmap.mmap, pixels: Pixels) -> None:
        """`pixels` (N, …) lie in the map one after another."""
        self._memory = memory
        self._first = pixels.ctypes.data - np.frombuffer(memory, np.uint8).ctypes.data
        self._size = pixels.strides[0]

    @classmethod
    def of(cls, pixels: Pixels) -> Self | None:
        """None for pictures in no map, and where the system cannot be asked."""
        memory = _memory_of(pixels)
        return cls(memory, pixels) if memory is not None and hasattr(mmap, "MADV_WILLNEED") else None

    def ask(self, rows: Iterable[int]) -> None:
        """Returns at once; the pictures come by and by."""
        for row in rows:
            place = self._first + row * self._size
            start = place - place % mmap.PAGESIZE
            self._memory.madvise(mmap.MADV_WILLNEED, start, place + self._size - start)


def _memory_of(array: object) -> mmap.mmap | None:
    """The map that the array's values lie in."""
    while isinstance(array, np.ndarray):
        array = array.base
    owner = array.obj if isinstance(array, memoryview) else array
    return owner if isinstance(owner, mmap.mmap) else None
