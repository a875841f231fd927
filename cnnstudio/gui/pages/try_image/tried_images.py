"""The images that the user tries, read in a thread, a few at a time, at the input size of the run on show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.formatting import format_count
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import ResizeMode
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.pages.try_image.sources import (
    FoundImages,
    ImageSource,
    ReadImages,
    Shape,
    TriedImage,
    describe_unreadable,
    find_images,
    read_images,
)
from cnnstudio.runs.epochs.inspection import OwnImages

MAX_IMAGES = 2_000
_MAX_BYTES = 128 * 2**20
"""Of all images at the network's input size."""
_BATCH = 64
_MAX_UNREADABLE = 100


@dataclass(frozen=True, eq=False)
class Batch:
    """Images whose scores are asked for together."""

    images: tuple[TriedImage, ...]
    own_images: OwnImages

    @classmethod
    def of(cls, images: Sequence[TriedImage]) -> Batch:
        return cls(tuple(images), OwnImages(np.stack([each.pixels for each in images])))


class TriedImages(QObject):
    """What was opened, dropped or pasted. Without a shape, images wait to be read."""

    changed = Signal()
    """Other images, another choice, or another note."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.batches: tuple[Batch, ...] = ()
        self.index = 0
        """The chosen image."""
        self._shape: Shape | None = None
        self._resize: ResizeMode = "fill"
        self._waiting: list[ImageSource] = []
        self._set_aside: list[ImageSource] = []
        """Those for which there is no room at the input size of the network."""
        self._to_find: list[Path] = []
        self._notes: list[str] = []
        self._unreadable: list[tuple[str, str]] = []
        self._next_index: int | None = None
        """The place of the first of the images that are being read."""
        self._task: IoTask | None = None

    @property
    def images(self) -> tuple[TriedImage, ...]:
        return tuple(image for batch in self.batches for image in batch.images)

    @property
    def chosen(self) -> TriedImage | None:
        images = self.images
        return images[self.index] if self.index < len(images) else None

    @property
    def note(self) -> str:
        """What was left out or could not be read, as sentences."""
        unreadable = describe_unreadable(self._unreadable)
        return " ".join(filter(None, (*self._notes, self._room_note, unreadable)))

    @property
    def _room_note(self) -> str:
        if not self._set_aside or self._shape is None:
            return ""
        tried = len(self.images) + len(self._waiting)
        every = format_count(tried + len(self._set_aside))
        _, height, width = self._shape
        return f"Only {format_count(tried)} of {every} images fit into memory at {width} × {height} pixels."

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to try, and nothing being read."""
        return not (self.batches or self.is_reading)

    @property
    def is_reading(self) -> bool:
        return bool(self._waiting or self._to_find or self._task)

    @property
    def waiting(self) -> int:
        """How many images were found and not read yet."""
        return len(self._waiting)

    # What the user does

    def add_paths(self, paths: Sequence[Path]) -> None:
        """Adds image files, and the images in folders."""
        self._begin()
        self._to_find += paths
        self._continue()

    def add(self, source: ImageSource) -> None:
        """Adds one image."""
        self._begin()
        if self._room:
            self._waiting.append(source)
        else:
            count = len(self.images) + len(self._waiting)
            self._notes.append(f"There is no room for more than {format_count(count)} images.")
        self._continue()

    def _begin(self) -> None:
        """What is said is about what was added last, and its first image is chosen."""
        self._notes, self._unreadable = [], []
        self._next_index = len(self.images) + len(self._waiting)

    def choose(self, index: int) -> None:
        """Chooses an image; what was said about others is read then."""
        if index != self.index and 0 <= index < len(self.images):
            self.index = index
            self._notes, self._unreadable = [], []
            self.changed.emit()

    def remove(self, index: int) -> None:
        """Removes one of the images."""
        left = [each for number, each in enumerate(self.images) if number != index]
        kept: list[Batch] = []
        first = 0
        for batch in self.batches:
            last = first + len(batch.images)
            if not first <= index < last:
                kept.append(batch)
            elif len(batch.images) > 1:
                inside = index - first
                kept.append(Batch.of(batch.images[:inside] + batch.images[inside + 1 :]))
            first = last
        self.batches = tuple(kept)
        self.index = max(min(self.index - (self.index > index), len(left) - 1), 0)
        self._continue()

    def clear(self) -> None:
        """Removes all images, and stops reading."""
        self.close()
        self.batches, self.index, self._next_index = (), 0, None
        self._waiting, self._set_aside, self._to_find = [], [], []
        self._notes, self._unreadable = [], []
        self.changed.emit()

    def stop_reading(self) -> None:
        """Keeps what was read and gives up the rest."""
        self.close()
        self._waiting, self._set_aside, self._to_find = [], [], []
        self.changed.emit()

    def close(self) -> None:
        """Ignores what is still being read."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # The network

    def set_shape(self, shape: Shape | None, resize: ResizeMode = "fill") -> None:
        """Says what the network gets, and how it was resized; images that are different are read again."""
        if (shape, resize) == (self._shape, self._resize):
            return
        self.close()
        self._shape, self._resize = shape, resize
        sources = [*(each.source for each in self.images), *self._waiting, *self._set_aside]
        self.batches, self._next_index = (), self.index
        # Larger ones take more memory each: what there is no room for waits for a network with smaller ones.
        self._waiting, self._set_aside = [], sources
        self._continue()

    # Reading

    @property
    def _room(self) -> int:
        """How many more images there may be."""
        size = 1 if self._shape is None else int(np.prod(self._shape))
        return max(min(MAX_IMAGES, _MAX_BYTES // size) - len(self.images) - len(self._waiting), 0)

    def _work(self) -> None:
        if self._task is not None:
            return
        room = self._room
        self._waiting += self._set_aside[:room]
        del self._set_aside[:room]
        if self._to_find:
            paths = tuple(self._to_find)
            self._start(partial(_find, paths, self._room), partial(self._on_found, len(paths)))
        elif self._waiting and self._shape is not None:
            self._start(partial(_read, self._waiting[:_BATCH], self._shape, self._resize), self._on_read)

    def _start(self, function: IoFunction, on_done: Callable[[Any], object]) -> None:
        task = self._task = IoTask(function, self)
        task.done.connect(on_done)
        task.failed.connect(self._on_failed)
        task.start()

    def _on_found(self, paths: int, found: FoundImages) -> None:
        self._task = None
        del self._to_find[:paths]
        self._waiting += found.sources
        self._notes += filter(None, (found.note,))
        self._continue()

    def _on_read(self, read: ReadImages) -> None:
        self._task = None
        del self._waiting[: len(read.images) + len(read.unreadable)]
        if read.images:
            count = len(self.images)
            self.batches = (*self.batches, Batch.of(read.images))
            if self._next_index is not None and self._next_index < count + len(read.images):
                self.index, self._next_index = self._next_index, None
        self._unreadable = [*self._unreadable, *read.unreadable][:_MAX_UNREADABLE]
        self._continue()

    def _on_failed(self, problem: str) -> None:
        self._task = None
        self._notes.append(problem)
        if self._to_find:
            self._to_find.clear()
        else:
            del self._waiting[:_BATCH]
        self._continue()

    def _continue(self) -> None:
        self._work()
        self.changed.emit()


def _find(
    paths: Sequence[Path], room: int, progress: ProgressFunction, cancelled: CancelFunction
) -> FoundImages:
    return find_images(paths, room, cancelled)


def _read(
    sources: Sequence[ImageSource],
    shape: Shape,
    resize: ResizeMode,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> ReadImages:
    return read_images(sources, shape, cancelled, resize)
