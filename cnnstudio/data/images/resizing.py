"""Converts a data set to the image size and the number of channels that a network takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import numpy as np
from PIL import Image

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    throttled,
)
from cnnstudio.data.dataset import DataError, Dataset, Pixels, ResizeMode, Split, as_channels_last
from cnnstudio.data.images.image_files import resize_image
from cnnstudio.data.images.parallel import ordered_map
from cnnstudio.data.storage.decoded_cache import cache_key, get_or_create
from cnnstudio.data.storage.writers import DatasetWriter, SplitWriter
from cnnstudio.data.versions.version import version_of

VERSION = 1
"""Raised with every change to how images are converted, so that older cached results are not used."""

_CHUNK = 64  # images for one thread at a time
_MIN_CACHED_BYTES = 64_000_000
"""Smaller results are not cached: resizing them again is fast enough to save the disk space."""


def resize(
    dataset: Dataset,
    shape: tuple[int, int, int],
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> Dataset:
    """The data set with images uint8 of `shape` (C, H, W); the same object if it has that shape already.

    Each image is resized with antialiasing, as the data set's `resize` says. Large results are cached on
    disk. Raises Cancelled, and DataError if C is not 1 or 3 or if there is not enough space.
    """
    if shape == dataset.shape:
        return dataset
    channels = shape[0]
    if channels not in (1, 3):
        raise DataError(
            f"The network takes images with {channels} channels, but images have 3 (color) or 1 (gray): "
            "set the input's channels to 3 or 1."
        )

    def create(writer: DatasetWriter) -> Dataset:
        return _resize_dataset(dataset, shape, writer, throttled(progress), cancelled)

    if _size_in_bytes(dataset, shape) <= _MIN_CACHED_BYTES:
        return (
            create(DatasetWriter(None))
            .with_version(version_of(dataset))
            .with_uncorrected(dataset.uncorrected)
        )
    # One entry per data set, not per size: a user who tries several input sizes does not fill the disk.
    source_state = [VERSION, dataset.fingerprint, shape, dataset.name, dataset.title, dataset.notes]
    resized = get_or_create(cache_key("fitted", dataset.name), source_state, create, progress, cancelled)
    return resized.with_version(version_of(dataset)).with_uncorrected(dataset.uncorrected)


def _resize_dataset(
    dataset: Dataset,
    shape: tuple[int, int, int],
    writer: DatasetWriter,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> Dataset:
    size = " × ".join(map(str, shape))
    writer.reserve(f"{dataset.title} at {size}", _size_in_bytes(dataset, shape))
    writer.announce(dataset.classes, dataset.resize)
    total, done = dataset.image_count, 0

    def on_chunk(images: int) -> None:
        nonlocal done
        done += images
        text = f"Resizing {dataset.title} to {size}: {done:,} of {total:,} images"
        progress(Progress(done, total, text))

    resized = {
        part: _resize_split(
            *(split, shape, dataset.resize),
            *(writer.split_writer(part, shape, split.labels), on_chunk, cancelled),
        )
        for part, split in dataset.splits.items()
    }
    return dataset.with_splits(resized)


def _resize_split(
    split: Split,
    shape: tuple[int, int, int],
    mode: ResizeMode,
    split_writer: SplitWriter,
    on_chunk: Callable[[int], None],
    cancelled: CancelFunction,
) -> Split:
    channels, height, width = shape
    images = as_channels_last(split.images)

    def resize_chunk(start: int) -> Pixels:
        # Converting first means that a gray network resizes one channel instead of three.
        chunk = convert_channels(images[start : start + _CHUNK], channels)
        if chunk.shape[1:3] == (height, width):
            return chunk
        resized = np.empty((len(chunk), height, width, channels), np.uint8)
        for row, image in enumerate(chunk):
            pil_image = Image.fromarray(image[..., 0] if channels == 1 else image)
            pixels = np.asarray(resize_image(pil_image, (width, height), mode))
            resized[row] = pixels.reshape(height, width, channels)
        return resized

    starts = range(0, len(split), _CHUNK)
    with closing(ordered_map(resize_chunk, starts, cancelled)) as chunks:
        for start, resized in zip(starts, chunks, strict=True):
            split_writer.add(resized, split.labels[start : start + _CHUNK])
            on_chunk(len(resized))
    return split_writer.finish()


def convert_channels(images: Pixels, channels: int) -> Pixels:
    """uint8 (N, H, W, 1 or 3) as (N, H, W, channels), 1 or 3; gray is the luma of ITU-R BT.601."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images[..., :1], 3, axis=-1)
    # Pillow's fixed-point weights and rounding, so that a folder of files and an array give the same gray.
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def _size_in_bytes(dataset: Dataset, shape: tuple[int, int, int]) -> int:
    return dataset.image_count * math.prod(shape)
