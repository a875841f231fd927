"""A data set at the size and with the colors that a network takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import numpy as np
from PIL import Image

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, ignore, never, throttled
from cnnstudio.data.dataset import DataError, Dataset, Pixels, Split, as_channels_last
from cnnstudio.data.images.image_files import resized
from cnnstudio.data.images.parallel import in_order
from cnnstudio.data.storage.decoded_cache import kept_or_made, place_of
from cnnstudio.data.storage.writers import Draft, Drafts

VERSION = 1
"""Goes up with every change to what becomes of an image."""

_CHUNK = 64  # images for one thread at a time
_SMALL = 64_000_000
"""Bytes of images that are sooner made anew than kept on the disk."""


def resize(
    dataset: Dataset,
    shape: tuple[int, int, int],
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
) -> Dataset:
    """The same images as a network with inputs of `shape` (C, H, W) takes them; itself where they fit.

    Large sets are kept on the disk at that size. Raises Cancelled, and DataError for channels other than 1
    and 3 and for more pixels than there is room for.
    """
    if shape == dataset.shape:
        return dataset
    channels = shape[0]
    if channels not in (1, 3):
        raise DataError(
            f"The network takes images with {channels} channels, but images have 3 (color) or 1 (gray): "
            "set the input's channels to 3 or 1."
        )

    def make(drafts: Drafts) -> Dataset:
        return _fit(dataset, shape, drafts, throttled(progress), cancelled)

    if _bytes(dataset, shape) <= _SMALL:
        return make(Drafts(None))
    key = [VERSION, dataset.fingerprint, shape, dataset.name, dataset.title, dataset.notes]
    return kept_or_made(place_of("fitted", dataset.name), key, make, progress, cancelled)


def _fit(
    dataset: Dataset,
    shape: tuple[int, int, int],
    drafts: Drafts,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> Dataset:
    size = " × ".join(map(str, shape))
    drafts.make_room(f"{dataset.title} at {size}", _bytes(dataset, shape))
    whole, done = len(dataset.train) + len(dataset.test), 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        text = f"Bringing {dataset.title} to {size}: {done:,} of {whole:,} images"
        progress(Progress(done, whole, text))

    train, test = (
        _fit_split(split, shape, drafts.start(part, shape), tell, cancelled)
        for part, split in (("train", dataset.train), ("test", dataset.test))
    )
    return Dataset(dataset.name, dataset.title, dataset.classes, train, test, dataset.notes)


def _fit_split(
    split: Split,
    shape: tuple[int, int, int],
    draft: Draft,
    tell: Callable[[int], None],
    cancelled: CancelFunction,
) -> Split:
    channels, height, width = shape
    images = as_channels_last(split.images)

    def fit_chunk(start: int) -> Pixels:
        chunk = recolored(images[start : start + _CHUNK], channels)
        if chunk.shape[1:3] == (height, width):
            return chunk
        fitted = np.empty((len(chunk), height, width, channels), np.uint8)
        for row, image in enumerate(chunk):
            pil_image = Image.fromarray(image[..., 0] if channels == 1 else image)
            fitted[row] = np.asarray(resized(pil_image, (width, height))).reshape(height, width, channels)
        return fitted

    starts = range(0, len(split), _CHUNK)
    with closing(in_order(fit_chunk, starts, cancelled)) as chunks:
        for start, fitted in zip(starts, chunks, strict=True):
            draft.add(fitted, split.labels[start : start + _CHUNK])
            tell(len(fitted))
    return draft.finished()


def recolored(images: Pixels, channels: int) -> Pixels:
    """(N, H, W, 1 or 3) with `channels` (1 or 3) channels; gray is the luma of ITU-R BT.601, as in Pillow."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images[..., :1], 3, axis=-1)
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def _bytes(dataset: Dataset, shape: tuple[int, int, int]) -> int:
    return (len(dataset.train) + len(dataset.test)) * math.prod(shape)
