"""Images that stay on the disk: the system brings them into memory as they are looked at."""

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
"""Of the main memory, what images may take that are thought to stay there."""

_STRETCH = 16 * 2**20


def map_pixels(path: Path, shape: tuple[int, int, int, int]) -> Pixels:
    """The file's bytes as read-only (N, H, W, C). Raises OSError; ValueError for a file of another size."""
    if not shape[0]:
        return np.empty(shape, np.uint8)  # no system maps an empty file
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, np.uint8).reshape(shape)


class Ahead:
    """Asks the system for mapped images before they are looked at.

    Who looks at random images of a map waits for the disk at each of them; those that were asked for come
    side by side. Where all of them can stay in memory they are asked for one after another as well, a stretch
    at a time, which is what disks are quickest at.
    """

    def __init__(self, memory: mmap.mmap, pixels: Pixels) -> None:
        """`pixels` (N, …) lie in the map one after another."""
        self._memory = memory
        self._first = pixels.ctypes.data - np.frombuffer(memory, np.uint8).ctypes.data
        self._size = pixels.strides[0]
        self._end = self._first + pixels.nbytes
        can_stay = pixels.nbytes <= _STAYING_SHARE * _main_memory()
        self._next: int | None = self._first if can_stay else None

    @classmethod
    def of(cls, pixels: Pixels) -> Self | None:
        """None for images in no map, and where the system cannot be asked."""
        memory = _memory_of(pixels)
        return cls(memory, pixels) if memory is not None and hasattr(mmap, "MADV_WILLNEED") else None

    @property
    def is_done(self) -> bool:
        """Whether all images were asked for and stay, so that nothing is left to ask for."""
        return self._next == self._end

    def ask(self, rows: Iterable[int]) -> None:
        """Returns at once; the images come by and by."""
        for row in rows:
            self._want(self._first + row * self._size, self._size)
        if self._next is not None and not self.is_done:
            size = min(_STRETCH, self._end - self._next)
            self._want(self._next, size)
            self._next += size

    def _want(self, place: int, size: int) -> None:
        start = place - place % mmap.PAGESIZE
        self._memory.madvise(mmap.MADV_WILLNEED, start, place + size - start)


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
