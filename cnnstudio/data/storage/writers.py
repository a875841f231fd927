"""Writes the images of a data set to files, a few at a time, so that it may be larger than the memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import numpy as np

from cnnstudio.core.files import open_regular
from cnnstudio.core.formatting import format_bytes
from cnnstudio.data.dataset import (
    DataError,
    Dataset,
    Labels,
    Pixels,
    ResizeMode,
    Split,
    channel_histograms,
    from_channels_last,
)
from cnnstudio.data.storage.background_sync import BackgroundSync
from cnnstudio.data.storage.early_fingerprint import EarlyFingerprint
from cnnstudio.data.storage.memmap import map_pixels
from cnnstudio.data.storage.previous import Keys, PreviousImages

_MAX_IN_MEMORY = 1_000_000_000
"""Bytes of images that may be kept in memory instead if the disk is too full for them."""

_MAX_LABEL_BYTES = 8 * 100_000_000
"""The labels of far more images than any data set here has."""

_RESERVE = 100_000_000
"""Bytes of free disk space to leave to other programs."""


class SplitWriter(Protocol):
    """Collects the images of one split."""

    def add(self, pixels: Pixels, labels: Labels, keys: Keys | None = None) -> None:
        """Appends images, uint8 (n, H, W, C), with their class labels, int64 (n,). May raise DataError.

        `keys`, uint64 (n,), are those of their files, by which a later version of the data set finds them.
        """

    def finish(self) -> Split:
        """The split of all images that were added. Nothing may be added afterwards.

        Raises DataError if the images cannot be written or read back.
        """


class DatasetWriter:
    """Writes the splits of one data set into a temporary folder, which is deleted when the context ends.

    To keep the result, move `folder` elsewhere before the context ends.
    """

    def __init__(self, folder: Path | None, previous: PreviousImages | None = None) -> None:
        """`folder` must not exist yet; with None, everything is kept in memory."""
        self.folder = folder
        self.previous = previous
        """What an earlier version of the data set has decoded."""
        self._files = ExitStack()
        self._fingerprint: EarlyFingerprint | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing flushes the buffers, which fails on a full disk; the files are deleted anyway.
        with suppress(OSError):
            self._files.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def reserve(self, title: str, size: int) -> None:
        """Checks, before the first image is written, that there is space for `size` bytes of images.

        If the disk is too full, a small data set is kept in memory; for a larger one, raises DataError.
        """
        if self.folder is None:
            return
        # A full disk in the middle of decoding would cost the user the time until then. The check is no
        # guarantee, because other programs write, too; then `add` fails.
        reason = _create_or_explain(self.folder, size + _RESERVE)
        if reason is None:
            return
        if size > _MAX_IN_MEMORY:
            raise DataError(
                f"The decoded images of {title} need {format_bytes(size)} on disk, but {reason}: "
                "free some space, or set CNNSTUDIO_HOME to a folder on a larger disk."
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    def announce(self, classes: Sequence[str], resize: ResizeMode = "fill") -> None:
        """What the data set will have, before its first split: the fingerprint is then computed meanwhile."""
        self._fingerprint = EarlyFingerprint(classes, resize)

    def fingerprint(self, dataset: Dataset) -> str | None:
        """That of the data set that was written, if it could be computed meanwhile."""
        return None if self._fingerprint is None else self._fingerprint.of(dataset)

    def write(self, dataset: Dataset) -> Dataset:
        """Writes a data set that is in memory; returns the same data set, mapped from the files.

        Raises DataError if there is no space for it.
        """
        self.reserve(dataset.title, sum(split.images.nbytes for split in dataset.splits.values()))
        if self.folder is None:
            return dataset
        self.announce(dataset.classes, dataset.resize)
        return dataset.with_splits(
            {part: self.write_split(part, split) for part, split in dataset.splits.items()}
        )

    def write_split(self, part: str, split: Split) -> Split:
        """Writes one split that is in memory; returns it as it was written, channels last.

        Raises DataError if there is no space for it.
        """
        split_writer = self.split_writer(part, split.shape, split.labels)
        done = 0
        for chunk in split.chunks():
            split_writer.add(chunk, split.labels[done : done + len(chunk)])
            done += len(chunk)
        return split_writer.finish()

    def split_writer(
        self, part: str, shape: tuple[int, int, int], labels: Labels | None = None
    ) -> SplitWriter:
        """A writer for images of `shape` (C, H, W). An earlier split of that name is overwritten.

        `labels`, int64 (N,), are those of all images that are going to be written, if all can be read. Raises
        DataError if the files cannot be created.
        """
        if self.folder is None:
            return _MemorySplitWriter(shape)
        if self._fingerprint is not None:
            self._fingerprint.start_split(part, shape, labels)
        return _DiskSplitWriter(self.folder, part, shape, self._files, self._fingerprint)


class _MemorySplitWriter:
    """Keeps the images in memory; `finish` needs twice their size for a moment."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape
        self._pixels = [np.empty((0, height, width, channels), np.uint8)]
        self._labels = [np.empty(0, np.int64)]

    def add(self, pixels: Pixels, labels: Labels, keys: Keys | None = None) -> None:
        """Keeps references to both: uint8 (n, H, W, C) and int64 (n,), which must not change afterwards."""
        self._pixels.append(pixels)
        self._labels.append(labels)

    def finish(self) -> Split:
        return Split(from_channels_last(np.concatenate(self._pixels)), np.concatenate(self._labels))


class _DiskSplitWriter:
    """Writes with ordinary file calls and maps the files only when they are complete.

    Writing through a memory map would be simpler, but on a full disk it ends in SIGBUS, which kills the
    process; `write` raises an OSError instead, which becomes a message.
    """

    def __init__(
        self,
        folder: Path,
        part: str,
        shape: tuple[int, int, int],
        files: ExitStack,
        fingerprint: EarlyFingerprint | None,
    ) -> None:
        self._folder, self._part, self._shape, self._files = folder, part, shape, files
        self._fingerprint = fingerprint
        self._keys: BinaryIO | None = None
        self._histograms = np.zeros((shape[0], 256), np.int64)
        with self._explained_errors():
            self._pixels = files.enter_context(pixels_file(folder, part).open("wb"))
            self._labels = files.enter_context(labels_file(folder, part).open("wb"))
        self._sync = files.enter_context(BackgroundSync(self._pixels))

    def add(self, pixels: Pixels, labels: Labels, keys: Keys | None = None) -> None:
        """Appends uint8 (n, H, W, C) and int64 (n,) to the files. Raises DataError if the disk is full."""
        # In the order of the split's memory, so that the file can be mapped as it is. No copy if the images
        # are contiguous already, as decoded ones are.
        pixels = np.ascontiguousarray(pixels)
        with self._explained_errors():
            self._pixels.write(pixels.data)
            self._sync.written(pixels.nbytes)
            self._labels.write(labels.astype("<i8").data)
            if keys is not None:
                if self._keys is None:
                    self._keys = self._files.enter_context(keys_file(self._folder, self._part).open("wb"))
                self._keys.write(keys.astype("<u8").data)
        # While the pixels are in the CPU cache, which saves a second pass over the whole file later.
        self._histograms += channel_histograms(pixels)
        if self._fingerprint is not None:
            self._fingerprint.add(self._part, pixels, labels)

    def finish(self) -> Split:
        with self._explained_errors():
            self._sync.wait()
            for file in filter(None, (self._pixels, self._labels, self._keys)):
                # Python's buffer first, then the system's; fsync alone knows nothing of the former.
                file.flush()
                # The data must be on disk before the cache entry gets its final name (see decoded_cache).
                os.fsync(file.fileno())
                file.close()
            split = read_split(self._folder, self._part, self._shape)
        split.preset_histograms(self._histograms)
        return split

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"Cannot write decoded images to {self._folder.parent}: {error.strerror or error}. "
                "Free some space, or set CNNSTUDIO_HOME to another folder."
            ) from error


def pixels_file(folder: Path, part: str) -> Path:
    """The file with the pixels, uint8 (N, H, W, C), without a header."""
    return folder / f"{part}.pixels"


def labels_file(folder: Path, part: str) -> Path:
    """The file with the labels, little-endian int64 (N,), without a header."""
    return folder / f"{part}.labels"


def keys_file(folder: Path, part: str) -> Path:
    """The file with the keys of the images' files, little-endian uint64 (N,), where they have any."""
    return folder / f"{part}.keys"


def read_keys(folder: Path, part: str) -> Keys:
    """The keys of that part's files. Raises OSError if they cannot be read."""
    with open_regular(keys_file(folder, part), _MAX_LABEL_BYTES) as file:
        return np.fromfile(file, "<u8").astype(np.uint64, copy=False)


def read_split(folder: Path, part: str, shape: tuple[int, int, int]) -> Split:
    """The split in the files of that part, with images of `shape` (C, H, W) mapped into memory.

    Raises OSError if a file cannot be read, ValueError if its size does not match.
    """
    channels, height, width = shape
    # Labels are read, not mapped: 8 bytes per image, which are needed at once.
    with open_regular(labels_file(folder, part), _MAX_LABEL_BYTES) as file:
        labels = np.fromfile(file, "<i8").astype(np.int64, copy=False)
    pixels = map_pixels(pixels_file(folder, part), (len(labels), height, width, channels))
    return Split(from_channels_last(pixels), labels)


def _create_or_explain(folder: Path, size: int) -> str | None:
    """Creates the folder and returns None, or returns the reason why `size` bytes cannot be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder.parent} is not writable ({error.strerror})"
    return f"only {format_bytes(free)} are free in {folder.parent}" if size > free else None
