"""A data set at the size and with the colours that a network takes."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from cnnstudio.data.dataset import DataError, Dataset, Pixels, Split, as_channels_last, from_channels_last
from cnnstudio.data.pictures import resized

_CHUNK = 256  # pictures for one thread at a time


def fit(dataset: Dataset, shape: tuple[int, int, int]) -> Dataset:
    """`dataset` with pictures of `shape` (C, H, W). Raises DataError; see Dataset.fitted."""
    channels = shape[0]
    if channels not in (1, 3):
        raise DataError(
            f"The network takes pictures with {channels} channels, but pictures have 3 (colour) or 1 (grey): "
            "set the input's channels to 3 or 1."
        )
    _check_room(dataset, shape)
    try:
        train, test = _fit_split(dataset.train, shape), _fit_split(dataset.test, shape)
    except MemoryError as error:
        raise DataError(_too_large(dataset, shape)) from error
    return dataclasses.replace(dataset, train=train, test=test)


def _fit_split(split: Split, shape: tuple[int, int, int]) -> Split:
    channels, height, width = shape
    pictures = as_channels_last(split.images)
    fitted = np.empty((len(split), height, width, channels), np.uint8)

    def fit_chunk(start: int) -> None:
        chunk = recoloured(pictures[start : start + _CHUNK], channels)
        if chunk.shape[1:3] == (height, width):
            fitted[start : start + _CHUNK] = chunk
            return
        for row, picture in enumerate(chunk, start):
            image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
            fitted[row] = np.asarray(resized(image, (width, height))).reshape(height, width, channels)

    # Pillow lets other threads run while it resizes.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(fit_chunk, range(0, len(split), _CHUNK)))
    return Split(from_channels_last(fitted), split.labels)


def recoloured(pictures: Pixels, channels: int) -> Pixels:
    """(N, H, W, 1 or 3) with `channels` (1 or 3) channels; grey is the luma of ITU-R BT.601, as in Pillow."""
    if pictures.shape[-1] == channels:
        return pictures
    if channels == 3:
        return np.repeat(pictures[..., :1], 3, axis=-1)
    red, green, blue = (pictures[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def _check_room(dataset: Dataset, shape: tuple[int, int, int]) -> None:
    """Refuse before the computer starts to swap. Windows says so itself, by MemoryError."""
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if _bytes(dataset, shape) > memory // 2:
            raise DataError(_too_large(dataset, shape))


def _bytes(dataset: Dataset, shape: tuple[int, int, int]) -> int:
    return (len(dataset.train) + len(dataset.test)) * shape[0] * shape[1] * shape[2]


def _too_large(dataset: Dataset, shape: tuple[int, int, int]) -> str:
    return (
        f"{dataset.title} at {' × '.join(map(str, shape))} "
        f"would take {_bytes(dataset, shape) / 1e9:,.1f} GB, "
        "more than this computer can spare: choose a smaller input."
    )
