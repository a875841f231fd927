"""A folder of images, with one subfolder per class, as a data set."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cnnstudio.core.files import expand_home, is_folder
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.dataset import DataError, Dataset, Labels, Rows, stratified_split
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.folder_list import registered_folders
from cnnstudio.data.storage.decoded_cache import cache_key, get_or_create
from cnnstudio.data.storage.writers import DatasetWriter

if TYPE_CHECKING:
    from cnnstudio.data.images.decoding import Mask

VERSION = 2
"""Raised with every change to how images are read, so that older cached copies are not used."""
TEST_FRACTION = 0.2
"""Of each class, if the folder has no test images."""

_MAX_DECODED_FOR_INFO = 20_000

_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "testing", "val", "valid", "validation")
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_OTHER_SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
_IMAGE_SUFFIXES = frozenset(_JPEG_SUFFIXES + _OTHER_SUFFIXES)


@dataclass(frozen=True)
class Listing:
    """The image files of a folder as (path, class index), unopened; `test` is None without a test folder.

    Paths are strings, which take a third of the memory of `Path` objects: there may be millions.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...] | None

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """All files, training files first."""
        return self.train + (self.test or ())


class ImageFolder(Source):
    """`train/<class>/…` and `test/<class>/…`, or only `<class>/…`, of which 20% become the test set."""

    built_in: ClassVar[bool] = False

    def __init__(self, folder: Path, name: str = "", seed: int = 0) -> None:
        self.folder = Path(os.path.abspath(expand_home(folder)))
        self.name = name or self.folder.name
        self.title = self.name
        self.description = f"Images in {self.folder}"
        self._seed = seed

    @classmethod
    def discover(cls) -> list[Self]:
        return [cls(folder, name) for name, folder in registered_folders().items()]

    def available(self) -> bool:
        return is_folder(self.folder)

    def info(self) -> dict[str, Any]:
        about = super().info() | {"folder": str(self.folder)}
        try:
            listing = self.listing()
        except DataError as error:
            return about | {"available": False, "problem": str(error)}
        return about | {
            "classes": list(listing.classes),
            "train": len(listing.train),
            "test": None if listing.test is None else len(listing.test),
        }

    def checked_info(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> dict[str, Any]:
        """`info` without the files that cannot be read as images, which are counted as "unreadable"."""
        about = self.info()
        if "classes" not in about:
            return about
        listing = self.listing(cancelled)
        train = self._count_readable(listing.train, progress, cancelled)
        test = None if listing.test is None else self._count_readable(listing.test, progress, cancelled)
        unreadable = len(listing.files) - train - (test or 0)
        return about | {"train": train, "test": test, "unreadable": unreadable}

    def _count_readable(
        self, files: Sequence[tuple[str, int]], progress: ProgressFunction, cancelled: CancelFunction
    ) -> int:
        from cnnstudio.data.images.image_files import image_size, read_pixels, silence_pillow_warnings
        from cnnstudio.data.images.parallel import ordered_map

        # Decoding tells everything, but only a header is read of each file where there are very many.
        decodes = len(files) <= _MAX_DECODED_FOR_INFO

        def is_readable(path: str) -> bool:
            try:
                _ = read_pixels(Path(path), (1, 8, 8)) if decodes else image_size(Path(path))
            except DataError:
                return False
            return True

        report, count = throttled(progress), 0
        with (
            silence_pillow_warnings(),
            closing(ordered_map(is_readable, [path for path, _ in files], cancelled)) as found,
        ):
            for number, readable in enumerate(found, start=1):
                count += readable
                report(
                    Progress(number, len(files), f"Checking {self.title}: {number:,} of {len(files):,} files")
                )
        return count

    def listing(self, cancelled: CancelFunction = never_cancelled) -> Listing:
        """The folder's classes and image files, by name only. Raises DataError if it cannot be a data set."""
        if not is_folder(self.folder):
            raise DataError(f"There is no folder {self.folder}.")
        try:
            entries = {
                entry.name.lower(): entry
                for entry in sorted(self.folder.iterdir())
                if not _is_ignored(entry.name)
            }
            train = _first_folder(entries, _TRAIN_NAMES)
            test = _first_folder(entries, _TEST_NAMES)
            if train is None:
                return self._listing(_classes_in(self.folder, cancelled), None)
            return self._listing(
                _classes_in(train, cancelled), _classes_in(test, cancelled) if test else None
            )
        except OSError as error:
            raise DataError(
                f"Cannot read {error.filename or self.folder}: {error.strerror or error}."
            ) from error

    def _listing(self, train: dict[str, list[str]], test: dict[str, list[str]] | None) -> Listing:
        classes = sorted({*train, *(test or ())})
        if not classes:
            raise DataError(
                f"{self.folder} has no images in class folders: "
                "expected train/<class>/… and test/<class>/…, or <class>/…, with one folder per class."
            )
        if len(classes) == 1:
            raise DataError(
                f"{self.folder} has only one class ({classes[0]}): add a folder with images of another class."
            )
        for part, present in (("training", train), ("test", test)):
            if present is not None and (missing := [name for name in classes if name not in present]):
                raise DataError(
                    f"{self.folder} has no {part} images of class {missing[0]}: add some or remove the class."
                )

        def labeled(part: dict[str, list[str]]) -> tuple[tuple[str, int], ...]:
            return tuple((path, label) for label, name in enumerate(classes) for path in part[name])

        return Listing(tuple(classes), labeled(train), None if test is None else labeled(test))

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        listing = self.listing(cancelled)

        def read(writer: DatasetWriter) -> Dataset:
            # Imported here so that the window can list this source without loading Pillow.
            from cnnstudio.data.images.image_files import silence_pillow_warnings

            with silence_pillow_warnings():
                return self._read(listing, writer, throttled(progress), cancelled)

        return get_or_create(
            cache_key("folder", str(self.folder)), self._state(listing), read, progress, cancelled
        )

    def _state(self, listing: Listing) -> str:
        """A hash (hex) of all files' names, sizes and times, and of everything else the result depends on."""
        digest = hashlib.sha256(
            json.dumps([VERSION, self.name, self._seed, len(listing.train), listing.classes]).encode()
        )
        for path, label in listing.files:
            try:
                state = os.stat(path)
            except OSError:
                entry = f"{path}\0{label}\0"  # counts as unreadable, until its state can be read
            else:
                entry = f"{path}\0{label}\0{state.st_size}\0{state.st_mtime_ns}\0"
            digest.update(os.fsencode(entry))
        return digest.hexdigest()

    def _read(
        self, listing: Listing, writer: DatasetWriter, progress: ProgressFunction, cancelled: CancelFunction
    ) -> Dataset:
        from cnnstudio.data.images.decoding import choose_size, decode

        paths = [path for path, _ in listing.files]
        labels = np.array([label for _, label in listing.files], np.int64)
        readable = np.ones(len(paths), bool)
        self._require_images(listing, labels, readable)
        progress(Progress(0, len(paths), f"Scanning {self.title}"))
        (width, height), same_size = choose_size(paths, cancelled)
        shape = (3, height, width)
        writer.reserve(self.title, len(paths) * math.prod(shape))
        while True:
            rows = self._rows(listing, labels, readable)
            on_chunk = self._progress_counter(sum(map(len, rows)), progress)
            splits = []
            for part, chosen in zip(("train", "test"), rows, strict=True):
                split_writer = writer.split_writer(part, shape)
                chosen_paths = [paths[row] for row in chosen]
                decoded = decode(chosen_paths, labels[chosen], shape, split_writer, on_chunk, cancelled)
                readable[chosen[~decoded]] = False
                splits.append(split_writer.finish())
            self._require_images(listing, labels, readable)
            if all(len(np.unique(split.labels)) == len(listing.classes) for split in splits):
                break
            # Every held-out image of some class turned out to be unreadable. Split again without those: each
            # round excludes at least one image, so this ends.
        notes = self._notes(paths, readable, (width, height), same_size)
        if listing.test is None:
            notes.append(f"{TEST_FRACTION:.0%} of the images of each class were held out as the test set.")
        return Dataset(self.name, self.title, listing.classes, splits[0], splits[1], tuple(notes))

    def _progress_counter(self, total: int, progress: ProgressFunction) -> Callable[[int], None]:
        """Called with the number of images that were read since the last call; reports the sum."""
        done = 0

        def on_chunk(images: int) -> None:
            nonlocal done
            done += images
            progress(Progress(done, total, f"Reading {self.title}: {done:,} of {total:,} images"))

        return on_chunk

    def _rows(self, listing: Listing, labels: Labels, readable: Mask) -> tuple[Rows, Rows]:
        """The training and test images among those not known to be unreadable."""
        usable = np.flatnonzero(readable)
        if listing.test is not None:
            return usable[usable < len(listing.train)], usable[usable >= len(listing.train)]
        train, test = stratified_split(labels[usable], TEST_FRACTION, self._seed)
        return usable[train], usable[test]

    def _require_images(self, listing: Listing, labels: Labels, readable: Mask) -> None:
        """Raises DataError unless every class has a readable image in each part, or two in the only part."""
        parts = {"training": slice(0, len(listing.train)), "test": slice(len(listing.train), None)}
        if listing.test is None:
            del parts["test"]
        for part, rows in parts.items():
            counts = np.bincount(labels[rows][readable[rows]], minlength=len(listing.classes))
            for name, count in zip(listing.classes, counts, strict=True):
                if not count:
                    raise DataError(
                        f"None of the {part} images of class {name} in {self.folder} can be read."
                    )
                if count == 1 and listing.test is None:
                    raise DataError(
                        f"{self.folder} has only one readable image of class {name}: add at least one more."
                    )

    def _notes(
        self,
        paths: list[str],
        readable: Mask,
        size: tuple[int, int],
        same_size: bool,
    ) -> list[str]:
        notes = []
        bad = [os.path.relpath(paths[row], self.folder) for row in np.flatnonzero(~readable)]
        if bad:
            count = "1 unreadable image was" if len(bad) == 1 else f"{len(bad):,} unreadable images were"
            more = f" and {len(bad) - 10:,} more" if len(bad) > 10 else ""
            notes.append(f"{count} skipped: {', '.join(bad[:10])}{more}.")
        if not same_size:
            notes.append(f"The images differ in size; all were resized to {size[0]} × {size[1]}.")
        return notes


def _is_ignored(name: str) -> bool:
    """Whether the system or a tool created it, such as .DS_Store, .git or __MACOSX."""
    return name.startswith((".", "__MACOSX"))


def _first_folder(entries: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    """The folder with the first of these names that exists."""
    return next((entries[name] for name in names if name in entries and entries[name].is_dir()), None)


def _classes_in(folder: Path, cancelled: CancelFunction) -> dict[str, list[str]]:
    """Class -> its image files, including subfolders, in a fixed order. An empty folder is not a class."""
    classes = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not _is_ignored(entry.name) and (images := _images_below(entry, cancelled)):
            classes[entry.name] = images
    return classes


def _images_below(folder: Path, cancelled: CancelFunction) -> list[str]:
    """All image files below a folder, sorted by path components, so that the order is the same everywhere."""
    found = []
    for parent, folders, files in os.walk(folder):
        raise_if_cancelled(cancelled)
        folders[:] = [name for name in folders if not _is_ignored(name)]
        found += [os.path.join(parent, name) for name in files if _is_image(name)]
    return sorted(found, key=lambda path: path.split(os.sep))


def _is_image(name: str) -> bool:
    return not _is_ignored(name) and os.path.splitext(name)[1].lower() in _IMAGE_SUFFIXES
