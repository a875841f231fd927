"""Where the images of a data set are put while it is made: into files, a few at a time."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from cnnstudio.core.formatting import storage
from cnnstudio.data.dataset import (
    DataError,
    Dataset,
    Labels,
    Pixels,
    Split,
    count_levels,
    from_channels_last,
)
from cnnstudio.data.storage.memmap import map_pixels

_MOST_IN_MEMORY = 1_000_000_000
"""Bytes of images that are held in memory where the disk has no room for them."""

_LEFT_FREE = 100_000_000
"""Bytes that others may want of the disk."""


class Draft(Protocol):
    """One split in the making."""

    def add(self, pixels: Pixels, labels: Labels) -> None:
        """The next images, (n, H, W, C), and their classes."""

    def finished(self) -> Split:
        """All that was added."""


class Drafts:
    """The splits of one data set in the making, as a context that leaves nothing behind."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` does not exist yet; without one, all is made in memory."""
        self.folder = folder
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # On a full disk they cannot even be closed without a word.
        with suppress(OSError):
            self._files.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_room(self, title: str, size: int) -> None:
        """Says before the first image how many bytes there will be.

        Raises DataError where the disk has no room for them, unless they are few enough for the memory.
        """
        if self.folder is None:
            return
        reason = _refusal(self.folder, size + _LEFT_FREE)
        if reason is None:
            return
        if size > _MOST_IN_MEMORY:
            raise DataError(
                f"The decoded images of {title} take {storage(size)} on the disk, but {reason}: "
                "make room, or set CNNSTUDIO_HOME to a folder on a larger disk."
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    def take(self, dataset: Dataset) -> Dataset:
        """A set that is in memory, from the drafts."""
        self.make_room(dataset.title, dataset.train.images.nbytes + dataset.test.images.nbytes)
        if self.folder is None:
            return dataset
        splits = []
        for part, split in (("train", dataset.train), ("test", dataset.test)):
            draft = self.start(part, split.shape)
            done = 0
            for chunk in split.chunks():
                draft.add(chunk, split.labels[done : done + len(chunk)])
                done += len(chunk)
            splits.append(draft.finished())
        return dataclasses.replace(dataset, train=splits[0], test=splits[1])

    def start(self, part: str, shape: tuple[int, int, int]) -> Draft:
        """A split of images of `shape` (C, H, W), anew where there was one of that name."""
        if self.folder is None:
            return _DraftInMemory(shape)
        return _DraftOnDisk(self.folder, part, shape, self._files)


class _DraftInMemory:
    def __init__(self, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape
        self._pixels = [np.empty((0, height, width, channels), np.uint8)]
        self._labels = [np.empty(0, np.int64)]

    def add(self, pixels: Pixels, labels: Labels) -> None:
        self._pixels.append(pixels)
        self._labels.append(labels)

    def finished(self) -> Split:
        return Split(from_channels_last(np.concatenate(self._pixels)), np.concatenate(self._labels))


class _DraftOnDisk:
    """Written as a file and mapped only when it is whole: into a map, a full disk would kill the process."""

    def __init__(self, folder: Path, part: str, shape: tuple[int, int, int], files: ExitStack) -> None:
        self._folder, self._part, self._shape = folder, part, shape
        self._levels = np.zeros((shape[0], 256), np.int64)
        with self._writing():
            self._pixels = files.enter_context(pixels_file(folder, part).open("wb"))
            self._labels = files.enter_context(labels_file(folder, part).open("wb"))

    def add(self, pixels: Pixels, labels: Labels) -> None:
        with self._writing():
            self._pixels.write(np.ascontiguousarray(pixels).data)
            self._labels.write(labels.astype("<i8").data)
        # Now that they are in the processor's cache; later it would take another pass over all of them.
        self._levels += count_levels(pixels)

    def finished(self) -> Split:
        with self._writing():
            for file in (self._pixels, self._labels):
                file.flush()
                os.fsync(file.fileno())
                file.close()
            split = read_split(self._folder, self._part, self._shape)
        split.recall(self._levels)
        return split

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"Cannot write decoded images to {self._folder.parent}: {error.strerror or error}. "
                "Make room, or set CNNSTUDIO_HOME to another folder."
            ) from error


def pixels_file(folder: Path, part: str) -> Path:
    """Holds uint8 (N, H, W, C), without a head."""
    return folder / f"{part}.pixels"


def labels_file(folder: Path, part: str) -> Path:
    """Holds little-endian int64 (N,), without a head."""
    return folder / f"{part}.labels"


def read_split(folder: Path, part: str, shape: tuple[int, int, int]) -> Split:
    """The images of `shape` (C, H, W) in the part's files, mapped. Raises OSError or ValueError."""
    channels, height, width = shape
    labels = np.fromfile(labels_file(folder, part), "<i8").astype(np.int64, copy=False)
    pixels = map_pixels(pixels_file(folder, part), (len(labels), height, width, channels))
    return Split(from_channels_last(pixels), labels)


def _refusal(folder: Path, size: int) -> str | None:
    """Why so many bytes cannot be written; makes the folder where they can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder.parent} cannot be written ({error.strerror})"
    return f"only {storage(free)} are free in {folder.parent}" if size > free else None
