"""Memory-mapped images, which the system reads from disk as they are accessed, and prefetching for them."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from cnnstudio.core.files import open_regular
from cnnstudio.data.dataset import Pixels

_RESIDENT_FRACTION = 0.5
"""Files that take at most this fraction of the main memory are assumed to stay in the page cache."""

_SEQUENTIAL_BYTES = 16 * 2**20
"""Bytes that are prefetched in file order with each batch."""


def map_pixels(path: Path, shape: tuple[int, int, int, int]) -> Pixels:
    """The bytes of the file as a read-only uint8 array of `shape` (N, H, W, C), not read yet.

    Raises OSError if the file cannot be opened, ValueError if its size does not match.
    """
    if not shape[0]:
        return np.empty(shape, np.uint8)  # an empty file cannot be mapped
    # The map outlives the file object. It is closed with the last array that refers to it.
    with open_regular(path, None) as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, np.uint8).reshape(shape)


class Prefetcher:
    """Asks the system to read mapped images before they are accessed.

    A shuffled epoch accesses images in random order. Without prefetching, every page fault blocks training
    for one disk access; with it, the images of the next batch are read in parallel while this batch is
    computed.

    If all images fit into the page cache, the file is also read from front to back, a part with every batch.
    Sequential reads are what disks do fastest, so the page cache fills long before random accesses would have
    touched every page. For larger files this would only evict pages that are about to be used.
    """

    def __init__(self, memory: mmap.mmap, pixels: Pixels) -> None:
        """`pixels` (N, …) is a contiguous array inside the map."""
        self._memory = memory
        # A difference of addresses, because `pixels` may begin anywhere in the map.
        self._first = pixels.ctypes.data - np.frombuffer(memory, np.uint8).ctypes.data
        self._size = pixels.strides[0]
        self._end = self._first + pixels.nbytes
        self._next: int | None = self._first if stays_in_memory(pixels.nbytes) else None

    @classmethod
    def for_array(cls, pixels: Pixels) -> Self | None:
        """A prefetcher for a mapped array, uint8 (N, …); None if it is not mapped or there is no madvise."""
        memory = _map_of(pixels)
        return cls(memory, pixels) if memory is not None and hasattr(mmap, "MADV_WILLNEED") else None

    @property
    def is_done(self) -> bool:
        """Whether all images have been requested and stay in memory, so that there is nothing left to do."""
        return self._next == self._end

    def prefetch(self, rows: Iterable[int]) -> None:
        """Requests these images. Returns at once; the system reads them in the background."""
        # One system call per image: the rows of a shuffled batch are rarely neighbors that could be merged.
        for row in rows:
            self._request(self._first + row * self._size, self._size)
        if self._next is not None and not self.is_done:
            size = min(_SEQUENTIAL_BYTES, self._end - self._next)
            self._request(self._next, size)
            self._next += size

    def _request(self, offset: int, size: int) -> None:
        # madvise accepts only offsets that are a multiple of the page size.
        start = offset - offset % mmap.PAGESIZE
        self._memory.madvise(mmap.MADV_WILLNEED, start, offset + size - start)


def stays_in_memory(size: int) -> bool:
    """Whether files of so many bytes are assumed to stay in memory once they were read."""
    return size <= _RESIDENT_FRACTION * _main_memory()


def _main_memory() -> float:
    """In bytes; infinite if the system does not report it."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _map_of(array: object) -> mmap.mmap | None:
    """The memory map behind an array, found through the chain of views; None if there is none."""
    # np.frombuffer makes an array whose base is the map or, depending on the version, a memoryview of it.
    while isinstance(array, np.ndarray):
        array = array.base
    owner = array.obj if isinstance(array, memoryview) else array
    return owner if isinstance(owner, mmap.mmap) else None
