"""Images with labels as plain arrays, whatever they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cnnstudio.core.errors import UserError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Levels = npt.NDArray[np.int64]

_CHUNK = 256  # images at a time, so that passes over a whole split need little memory


class DataError(UserError):
    """Images that cannot be had or used, in one plain sentence."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes, both read-only.

    `images` is uint8 (N, C, H, W) in any memory order. The sources keep each pixel's channels side by side
    (torch's channels_last), which `Batches` then shares without a copy. `labels` is int64 (N,).
    """

    images: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images are uint8 (N, C, H, W), not {self.images.dtype} {self.images.shape}")
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels are int64, one for each image, not {self.labels.dtype} {self.labels.shape}"
            )
        for name, array in (("images", self.images), ("labels", self.labels)):
            view = array.view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def rows(self, rows: Rows) -> Split:
        """The chosen images as a split of their own, in that order (a copy)."""
        return Split(from_channels_last(as_channels_last(self.images)[rows]), self.labels[rows])

    def chunks(self) -> Iterator[Pixels]:
        """All images in order as (n, H, W, C), a few hundred at a time, each C-contiguous."""
        for start in range(0, len(self), _CHUNK):
            yield np.ascontiguousarray(as_channels_last(self.images[start : start + _CHUNK]))

    @cached_property
    def levels(self) -> Levels:
        """How many pixels of each channel have each of the 256 values, (C, 256)."""
        counts = np.zeros((self.shape[0], 256), np.int64)
        for chunk in self.chunks():
            counts += count_levels(chunk)
        return counts

    def recall(self, levels: Levels) -> None:
        """Takes `levels` from who counted them before, which spares a pass over all images."""
        vars(self)["levels"] = levels  # where cached_property keeps it


@dataclass(frozen=True, eq=False)
class Part:
    """Some images of a split, which stay where they are."""

    split: Split
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a network learns from and is tested on."""

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()
    """What the user should know of it, as sentences: images that were skipped, say."""

    def __post_init__(self) -> None:
        if self.train.shape != self.test.shape:
            raise ValueError(f"training images are {self.train.shape}, test images {self.test.shape}")
        for split in (self.train, self.test):
            if len(split) and not 0 <= split.labels.min() <= split.labels.max() < len(self.classes):
                raise ValueError(f"labels must lie between 0 and {len(self.classes) - 1}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        return self.train.shape

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over classes, labels and pixels: equal sets have equal ones, on every machine."""
        return self.look_through(lambda images: None)

    def look_through(self, tell: Callable[[int], None]) -> str:
        """Works out `fingerprint`; `tell` hears of each few hundred images how many they are."""
        digest = hashlib.sha256(json.dumps([self.classes, self.shape]).encode())
        for split in (self.train, self.test):
            digest.update(split.labels.astype("<i8").tobytes())
            for chunk in split.chunks():
                digest.update(chunk.data)
                tell(len(chunk))
        return digest.hexdigest()

    def recall(self, fingerprint: str) -> None:
        """Takes `fingerprint` from who worked it out before, which spares a pass over all images."""
        vars(self)["fingerprint"] = fingerprint  # where cached_property keeps it


def as_channels_last(images: Pixels) -> Pixels:
    """(N, C, H, W) seen as (N, H, W, C)."""
    return images.transpose(0, 2, 3, 1)


def from_channels_last(images: Pixels) -> Pixels:
    """(N, H, W, C) seen as (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2)


def count_levels(pixels: Pixels) -> Levels:
    """How many values of each channel are 0, 1, … 255: (C, 256) for (N, H, W, C)."""
    channels = range(pixels.shape[-1])
    return np.stack([np.bincount(pixels[..., channel].ravel(), minlength=256) for channel in channels])


def statistics(split: Split) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and deviation (never 0) of each channel, (C,) both, of pixels taken as 0 to 1."""
    levels = np.arange(256) / 255
    shares = split.levels / split.levels.sum(axis=1, keepdims=True)
    mean = shares @ levels
    deviation = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))
    # One gray level is the least that a channel can vary by; a channel of one single value stays near 0.
    return mean.astype(np.float32), np.maximum(deviation, 1 / 255).astype(np.float32)


def validation_rows(labels: Labels, share: float, seed: int) -> tuple[Rows, Rows]:
    """Set `share` of each class aside: (rows left, rows set aside), both in order, equal for equal seeds.

    Of every class with two images or more at least one goes to each side. Raises DataError where that
    leaves one side empty, or for a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise DataError(f"The share to set aside must lie between 0 and 1, but is {share}.")
    random = np.random.default_rng(seed)
    aside = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            count = min(max(round(len(members) * share), 1), len(members) - 1)
            aside[random.permutation(members)[:count]] = True
    if not aside.any():
        raise DataError("There are too few images to set some aside: at least one class needs two or more.")
    return np.flatnonzero(~aside), np.flatnonzero(aside)
