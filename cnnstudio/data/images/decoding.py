"""Decodes the image files of a data set: chooses a common size and writes the pixels to a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError, Labels, Pixels, ResizeMode
from cnnstudio.data.images.image_files import image_size, read_channels_last
from cnnstudio.data.images.parallel import ordered_map
from cnnstudio.data.images.repeated_images import Checksums, checksum
from cnnstudio.data.images.sizes import AUTOMATIC, Size, common_size, require_decodable
from cnnstudio.data.storage.previous import Keys, PreviousImages, file_key
from cnnstudio.data.storage.writers import SplitWriter

VERSION = 1
"""Raised with every change to how a file becomes pixels, so that older images are not reused."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_SIZE_SAMPLES = 1_000
_CHUNK = 16


def choose_size(
    paths: Sequence[str], cancelled: CancelFunction, wanted: Size = AUTOMATIC
) -> tuple[Size, bool]:
    """((height, width) for all images, whether all of them have that size already).

    Without a size that is wanted, `common_size`. In large sets, only an even sample is measured. Raises
    DataError if the images would be too large, Cancelled.
    """
    if wanted != AUTOMATIC:
        require_decodable(len(paths), wanted)
    sizes: Counter[tuple[int, int]] = Counter()
    for path in paths[:: max(1, len(paths) // _SIZE_SAMPLES)]:
        raise_if_cancelled(cancelled)
        try:
            sizes[image_size(Path(path))] += 1
        except DataError:
            continue  # reported later, when all images are decoded
    height, width = common_size(sizes, len(paths)) if wanted == AUTOMATIC else wanted
    return (height, width), set(sizes) <= {(width, height)}


def decode(
    paths: Sequence[str],
    labels: Labels,
    shape: tuple[int, int, int],
    mode: ResizeMode,
    split_writer: SplitWriter,
    previous: PreviousImages | None,
    on_chunk: Callable[[int], None],
    cancelled: CancelFunction,
) -> tuple[Mask, Checksums]:
    """Writes all readable images at `shape` (C, H, W).

    Returns which ones those are, bool (N,), and the checksums of those, uint32 (M,). `labels` is int64 (N,).
    Of files that `previous` has, the images are taken from there. Calls `on_chunk` with the number of images
    after every chunk. Raises Cancelled, and DataError if the pixels cannot be written.
    """
    channels, height, width = shape
    readable = np.zeros(len(paths), bool)
    checksums = np.zeros(len(paths), np.uint32)

    about = f"{VERSION} {mode}"
    if previous is not None and (previous.shape, previous.resize) != (shape, mode):
        previous = None

    def read(start: int) -> tuple[Pixels, Keys]:
        """One chunk: uint8 (n, H, W, C), uint64 (n,); rows of unreadable images are left uninitialized."""
        chunk = paths[start : start + _CHUNK]
        pixels = np.empty((len(chunk), height, width, channels), np.uint8)
        keys = np.array([file_key(path, about) for path in chunk], np.uint64)
        known = np.full(len(chunk), -1) if previous is None else previous.rows(keys)
        for row, path in enumerate(chunk):
            raise_if_cancelled(cancelled)
            if previous is not None and known[row] >= 0:
                pixels[row] = previous.pixels(int(known[row]))
            else:
                try:
                    pixels[row] = read_channels_last(Path(path), shape, mode)
                except DataError:
                    continue  # stays marked as unreadable
            readable[start + row] = True
            # Here, while the pixels are in the CPU cache, by all threads.
            checksums[start + row] = checksum(pixels[row])
        return pixels, keys

    # Threads decode chunks ahead, but the chunks are written here, in order: the cache must not depend on
    # which thread is faster.
    starts = range(0, len(paths), _CHUNK)
    with closing(ordered_map(read, starts, cancelled)) as chunks:
        for start, (pixels, keys) in zip(starts, chunks, strict=True):
            kept = readable[start : start + _CHUNK]
            # Indexing copies the pixels, which is not needed where all of them could be read.
            whole = pixels if kept.all() else pixels[kept]
            split_writer.add(whole, labels[start : start + _CHUNK][kept], keys[kept])
            on_chunk(len(pixels))
    return readable, checksums[readable]
