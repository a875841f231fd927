"""Images that an earlier version of the same data set has decoded, so that only new files are decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnnstudio.data.dataset import Pixels, ResizeMode, Rows

Keys = npt.NDArray[np.uint64]


def file_key(path: str, about: str) -> int:
    """64 bits that identify the content of a file by its path, size and time, decoded as `about` says.

    In a million files, two have the same by chance once in tens of millions of data sets. 0 if the file
    cannot be asked.
    """
    try:
        state = os.stat(path)
    except OSError:
        return 0
    text = os.fsencode(f"{about}\0{path}\0{state.st_size}\0{state.st_mtime_ns}")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class PreviousImages:
    """Decoded images, found by the keys of their files."""

    def __init__(self, parts: Sequence[tuple[Pixels, Keys]], resize: ResizeMode) -> None:
        """`parts` are images, uint8 (N, H, W, C), with the keys of their files, uint64 (N,)."""
        self._parts = [pixels for pixels, _ in parts]
        keys = np.concatenate([keys for _, keys in parts])
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._starts = np.cumsum([0, *map(len, self._parts)])
        self.resize = resize

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        height, width, channels = self._parts[0].shape[1:]
        return channels, height, width

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(pixels.nbytes for pixels in self._parts)

    def rows(self, keys: Keys) -> Rows:
        """Where the images of those files are, intp (n,), for `pixels`; -1 for those that are not here."""
        if not len(self._sorted):
            return np.full(len(keys), -1)
        places = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        is_here = (self._sorted[places] == keys) & (keys != 0)
        return np.where(is_here, self._order[places], -1)

    def pixels(self, row: int) -> Pixels:
        """One image, uint8 (H, W, C)."""
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        image: Pixels = self._parts[part][row - self._starts[part]]
        return image
