"""Pictures that stay on the disk: the system brings them into memory as they are looked at."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from cnnstudio.data.dataset import Pixels

_STAYING_SHARE = 0.5
"""Of the main memory, what the pictures may take to be taken for lasting there."""


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
    side by side. From a disk that is some ten times as fast; where they are in memory already, it takes some
    5 µs a picture for nothing.
    """

    def __init__(self, memory: mmap.mmap, pixels: Pixels) -> None:
        """`pixels` (N, …) lie in the map one after another."""
        self._memory = memory
        self.stays = pixels.nbytes <= _STAYING_SHARE * _main_memory()
        """Whether what was looked at once is likely to be in memory still."""
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


def _main_memory() -> float:
    """Bytes; without end where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _memory_of(array: object) -> mmap.mmap | None:
    """The map that the array's values lie in."""
    while isinstance(array, np.ndarray):
        array = array.base
    owner = array.obj if isinstance(array, memoryview) else array
    return owner if isinstance(owner, mmap.mmap) else None
