"""Images with labels as plain arrays, independent of where they came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cnnstudio.core.errors import UserError
from cnnstudio.data.fingerprint import FingerprintBuilder

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Histograms = npt.NDArray[np.int64]

ResizeMode = Literal["fill", "fit", "stretch"]
"""How images of another shape become as large as is needed: cropped at the center, padded with black, or
distorted."""
RESIZE_MODES: tuple[ResizeMode, ...] = get_args(ResizeMode)

SPLIT_WORDS: Mapping[str, str] = {"train": "training", "validation": "validation", "test": "test"}
"""The splits in the order in which they are shown, as they are called: training images, test accuracy."""

_MODES = {1: "L", 3: "RGB"}
"""Channels -> Pillow's name."""
_CHUNK = 256  # images at a time, which bounds the memory of a pass over a whole split


class DataError(UserError):
    """Images that are unavailable or cannot be used."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their class labels, both read-only.

    `images` is uint8 (N, C, H, W), 0 to 255, in any memory order. The sources store the channels of a pixel
    next to each other (torch's channels_last), which lets `Batches` share the memory without a copy. `labels`
    is int64 (N,). Raises ValueError for other shapes or dtypes.
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

    def select(self, rows: Rows) -> Split:
        """A new split with the given images, in that order (a copy). `rows` is intp (n,), from 0."""
        return Split(from_channels_last(as_channels_last(self.images)[rows]), self.labels[rows])

    def chunks(self) -> Iterator[Pixels]:
        """All images in order, a few hundred at a time: uint8 (n, H, W, C), each chunk C-contiguous."""
        for start in range(0, len(self), _CHUNK):
            yield np.ascontiguousarray(as_channels_last(self.images[start : start + _CHUNK]))

    @cached_property
    def histograms(self) -> Histograms:
        """How many pixels of each channel have each of the 256 values: int64 (C, 256)."""
        counts = np.zeros((self.shape[0], 256), np.int64)
        for chunk in self.chunks():
            counts += channel_histograms(chunk)
        return counts

    def preset_histograms(self, histograms: Histograms) -> None:
        """Sets `histograms`, int64 (C, 256), to a known result, which saves a pass over all images."""
        vars(self)["histograms"] = histograms  # where cached_property stores its value


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a split, by row number and without a copy."""

    split: Split
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Uncorrected:
    """The training images as they were before the user's corrections, by which validation images are chosen.

    So these stay the same when labels are corrected, and results before and after can be compared.
    """

    labels: Labels
    """int64 (M,), of all training images, also of those that are excluded now."""
    rows: Rows
    """intp (N,), ascending: which of them are still used."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set, a test set and perhaps a validation set with the same classes and image shape.

    Raises ValueError if the shapes of the two differ or a label is out of range.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()
    """Sentences for the user about the data, such as which images were skipped."""
    validation: Split | None = None
    """Its own validation images, if it has any; some classes may be missing in them."""
    skipped: tuple[int, ...] = ()
    """Of a data set in files: the numbers, in its list of files, of those that could not be read."""
    version: str = ""
    """Of a data set in files: the id of its version, with the user's corrections; see `versions.version`."""
    resize: ResizeMode = "fill"
    """How its images were brought to one size, and are brought to that of a network."""
    uncorrected: Uncorrected | None = None
    """None if there are no corrections."""

    def __post_init__(self) -> None:
        for part, split in self.splits.items():
            if split.shape != self.train.shape:
                raise ValueError(f"training images are {self.train.shape}, {part} images {split.shape}")
            if len(split) and not 0 <= split.labels.min() <= split.labels.max() < len(self.classes):
                raise ValueError(f"labels must lie between 0 and {len(self.classes) - 1}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        return self.train.shape

    @property
    def splits(self) -> dict[str, Split]:
        """Those that it has, by name: "train", "test" and, where it has its own, "validation"."""
        found = {"train": self.train, "test": self.test}
        return found if self.validation is None else {**found, "validation": self.validation}

    def with_splits(self, splits: Mapping[str, Split]) -> Dataset:
        """The same with other images, given as `splits` gives them."""
        train, test = splits["train"], splits["test"]
        return dataclasses.replace(self, train=train, test=test, validation=splits.get("validation"))

    def with_version(self, version: str) -> Dataset:
        """The same images as that version."""
        return self._with_same_images(dataclasses.replace(self, version=version))

    def with_uncorrected(self, uncorrected: Uncorrected | None) -> Dataset:
        """The same images, whose validation images are chosen by these."""
        return self._with_same_images(dataclasses.replace(self, uncorrected=uncorrected))

    def _with_same_images(self, changed: Dataset) -> Dataset:
        """`changed` with what is known of these images."""
        for name in ("fingerprint", "pixels_fingerprint"):
            if name in vars(self):
                vars(changed)[name] = vars(self)[name]
        return changed

    def hold_out(self, fraction: float, seed: int) -> tuple[Rows, Rows]:
        """Holds out a part of the training images, as `stratified_split`: (remaining rows, held-out rows).

        The same images as without the user's corrections, unless these would leave a class without images.
        """
        before = self.uncorrected
        if before is not None:
            place = np.full(len(before.labels), -1)
            place[before.rows] = np.arange(len(before.rows))
            rest, held_out = (
                rows[rows >= 0]
                for rows in (place[each] for each in stratified_split(before.labels, fraction, seed))
            )
            if len(held_out) and set(self.train.labels[rest].tolist()) == set(self.train.labels.tolist()):
                return rest, held_out
        return stratified_split(self.train.labels, fraction, seed)

    @property
    def image_count(self) -> int:
        """The number of images in all splits."""
        return sum(map(len, self.splits.values()))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of classes, labels, pixels and `resize`: the same for equal data everywhere."""
        return self.compute_fingerprint(lambda images: None)

    @cached_property
    def pixels_fingerprint(self) -> str:
        """The same for equal images in equal splits, where known also if their labels were corrected.

        For what is computed of the images alone.
        """
        return self.fingerprint

    def preset_pixels_fingerprint(self, fingerprint: str) -> None:
        """Sets `pixels_fingerprint` to that of the same images with other labels."""
        vars(self)["pixels_fingerprint"] = fingerprint

    def compute_fingerprint(self, on_chunk: Callable[[int], None]) -> str:
        """Computes `fingerprint`; calls `on_chunk` with the number of images after every chunk."""
        builder = FingerprintBuilder(self.classes, self.shape, self.resize)
        for split in self.splits.values():
            builder.start_split(split.labels)
            for chunk in split.chunks():
                builder.add(chunk)
                on_chunk(len(chunk))
        return builder.hexdigest()

    def preset_fingerprint(self, fingerprint: str) -> None:
        """Sets `fingerprint` to a known result, which saves a pass over all images."""
        vars(self)["fingerprint"] = fingerprint  # where cached_property stores its value


def as_channels_last(images: Pixels) -> Pixels:
    """A view of uint8 (N, C, H, W) as (N, H, W, C)."""
    return images.transpose(0, 2, 3, 1)


def from_channels_last(images: Pixels) -> Pixels:
    """A view of uint8 (N, H, W, C) as (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2)


def channel_histograms(pixels: Pixels) -> Histograms:
    """Counts of the values 0 to 255 in each channel: int64 (C, 256) for uint8 (N, H, W, C)."""
    number, height, width, count = pixels.shape
    if pixels.size and count in _MODES:
        # Six times as fast as bincount, which first makes integers of eight bytes. Imported here because the
        # window lists data sets without it.
        from PIL import Image

        mode, data = _MODES[count], np.ascontiguousarray(pixels)
        image = Image.frombuffer(mode, (width, number * height), data, "raw", mode, 0, 1)
        return np.array(image.histogram(), np.int64).reshape(count, 256)
    channels = range(count)
    return np.stack([np.bincount(pixels[..., channel].ravel(), minlength=256) for channel in channels])


def channel_statistics(split: Split) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and standard deviation (never 0) of each channel, for pixels scaled to 0…1: float32 (C,) each."""
    values = np.arange(256) / 255
    frequencies = split.histograms / split.histograms.sum(axis=1, keepdims=True)
    mean = frequencies @ values
    deviation = np.sqrt(np.maximum(frequencies @ values**2 - mean**2, 0))
    # At least one gray level: a constant channel is then normalized to 0 instead of dividing by 0.
    return mean.astype(np.float32), np.maximum(deviation, 1 / 255).astype(np.float32)


def has_colors(split: Split) -> bool:
    """Whether any of the first few hundred images is not gray."""
    images = split.images[:_CHUNK]
    return bool(split.shape[0] == 3 and (images != images[:, :1]).any())


def stratified_split(labels: Labels, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Holds out `fraction` of each class: (remaining rows, held-out rows), both ascending.

    Equal seeds give equal rows. A class with two or more images has at least one on each side. `labels` is
    int64 (N,). Raises DataError if nothing can be held out, or if `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DataError(f"The fraction of images to hold out must be between 0 and 1, got {fraction}.")
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            count = min(max(round(len(members) * fraction), 1), len(members) - 1)
            held_out[random.permutation(members)[:count]] = True
    if not held_out.any():
        raise DataError("Too few images to hold some out: at least one class needs two or more images.")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
