"""A folder of the user's own images as a data set."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cnnstudio.core.files import is_folder, with_home
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.dataset import DataError, Dataset, Labels, Rows, validation_rows
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.folder_list import remembered_folders
from cnnstudio.data.storage.decoded_cache import kept_or_made, place_of
from cnnstudio.data.storage.writers import Drafts

if TYPE_CHECKING:
    from cnnstudio.data.images.decoding import Mask

VERSION = 2
"""Goes up with every change to how images are read, so that no kept copy of an older kind is used."""
TEST_SHARE = 0.2
"""Of each class, where the folder has no test images."""

_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "testing", "val", "valid", "validation")
_JPEG_NAMES = (".jpg", ".jpeg", ".jpe", ".jfif")
_OTHER_NAMES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
_IMAGE_NAMES = frozenset(_JPEG_NAMES + _OTHER_NAMES)


@dataclass(frozen=True)
class Listing:
    """The images of a folder with their classes, unopened. `test` is None where there is one level only.

    Paths are plain text, which takes a third of the memory: there may be millions.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...] | None

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """All of them, training first."""
        return self.train + (self.test or ())


class ImageFolder(Source):
    """`train/<class>/…` and `test/<class>/…`, or `<class>/…` alone, one in five of which is for testing."""

    built_in: ClassVar[bool] = False

    def __init__(self, folder: Path, name: str = "", seed: int = 0) -> None:
        self.folder = Path(os.path.abspath(with_home(folder)))
        self.name = name or self.folder.name
        self.title = self.name
        self.description = f"Images in {self.folder}"
        self._seed = seed

    @classmethod
    def found(cls) -> list[Self]:
        return [cls(folder, name) for name, folder in remembered_folders().items()]

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

    def listing(self, cancelled: CancelFunction = never) -> Listing:
        """What the folder holds, by names alone. Raises DataError for what cannot become a data set."""
        if not is_folder(self.folder):
            raise DataError(f"There is no folder {self.folder}.")
        try:
            below = {
                entry.name.lower(): entry for entry in sorted(self.folder.iterdir()) if _counts(entry.name)
            }
            train = next(
                (below[name] for name in _TRAIN_NAMES if name in below and below[name].is_dir()), None
            )
            test = next((below[name] for name in _TEST_NAMES if name in below and below[name].is_dir()), None)
            if train is None:
                return self._checked(_classes_in(self.folder, cancelled), None)
            return self._checked(
                _classes_in(train, cancelled), _classes_in(test, cancelled) if test else None
            )
        except OSError as error:
            raise DataError(
                f"Cannot read {error.filename or self.folder}: {error.strerror or error}."
            ) from error

    def _checked(self, train: dict[str, list[str]], test: dict[str, list[str]] | None) -> Listing:
        classes = sorted({*train, *(test or ())})
        if not classes:
            raise DataError(
                f"{self.folder} holds no images in class folders: "
                "expected train/<class>/… and test/<class>/…, or <class>/… with a folder for each class."
            )
        if len(classes) == 1:
            raise DataError(
                f"{self.folder} holds only one class ({classes[0]}): there is nothing to tell apart; "
                "add a folder with images of another class."
            )
        for part, present in (("training", train), ("test", test)):
            if present is not None and (missing := [name for name in classes if name not in present]):
                raise DataError(
                    f"{self.folder} has no {part} images of the class {missing[0]}: add some or remove it."
                )

        def labeled(part: dict[str, list[str]]) -> tuple[tuple[str, int], ...]:
            return tuple((path, label) for label, name in enumerate(classes) for path in part[name])

        return Listing(tuple(classes), labeled(train), None if test is None else labeled(test))

    def load(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> Dataset:
        listing = self.listing(cancelled)

        def read(drafts: Drafts) -> Dataset:
            # Pillow comes in with the first images: the window lists this source without it.
            from cnnstudio.data.images.image_files import quiet_pillow

            with quiet_pillow():
                return self._read(listing, drafts, throttled(progress), cancelled)

        return kept_or_made(
            place_of("folder", str(self.folder)), self._key(listing), read, progress, cancelled
        )

    def _key(self, listing: Listing) -> str:
        """Changes with the files' names, sizes and times, and with whatever else the result hangs on."""
        digest = hashlib.sha256(
            json.dumps([VERSION, self.name, self._seed, len(listing.train), listing.classes]).encode()
        )
        for path, label in listing.files:
            try:
                state = os.stat(path)
            except OSError:
                words = f"{path}\0{label}\0"  # read as unreadable, and looked at again once it can be
            else:
                words = f"{path}\0{label}\0{state.st_size}\0{state.st_mtime_ns}\0"
            digest.update(os.fsencode(words))
        return digest.hexdigest()

    def _read(
        self, listing: Listing, drafts: Drafts, progress: ProgressFunction, cancelled: CancelFunction
    ) -> Dataset:
        from cnnstudio.data.images.decoding import choose_size, decode

        paths = [path for path, _ in listing.files]
        labels = np.array([label for _, label in listing.files], np.int64)
        readable = np.ones(len(paths), bool)
        self._check_enough(listing, labels, readable)
        progress(Progress(0, len(paths), f"Looking through {self.title}"))
        (width, height), same = choose_size(paths, cancelled)
        shape = (3, height, width)
        drafts.make_room(self.title, len(paths) * math.prod(shape))
        while True:
            rows = self._rows(listing, labels, readable)
            tell = self._telling(sum(map(len, rows)), progress)
            splits = []
            for part, chosen in zip(("train", "test"), rows, strict=True):
                draft = drafts.start(part, shape)
                there = decode([paths[row] for row in chosen], labels[chosen], shape, draft, tell, cancelled)
                readable[chosen[~there]] = False
                splits.append(draft.finished())
            self._check_enough(listing, labels, readable)
            if all(len(np.unique(split.labels)) == len(listing.classes) for split in splits):
                break
            # All of a class that was set aside cannot be read: other images of it are, next time.
        notes = self._notes(paths, readable, (width, height), same)
        if listing.test is None:
            notes.append(f"One in five images of each class was set aside for testing ({TEST_SHARE:.0%}).")
        return Dataset(self.name, self.title, listing.classes, splits[0], splits[1], tuple(notes))

    def _telling(self, total: int, progress: ProgressFunction) -> Callable[[int], None]:
        """Hears of more images that were read."""
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            progress(Progress(done, total, f"Reading {self.title}: {done:,} of {total:,} images"))

        return tell

    def _rows(self, listing: Listing, labels: Labels, readable: Mask) -> tuple[Rows, Rows]:
        """The images, as far as is known readable, to train and to test with."""
        there = np.flatnonzero(readable)
        if listing.test is not None:
            return there[there < len(listing.train)], there[there >= len(listing.train)]
        left, aside = validation_rows(labels[there], TEST_SHARE, self._seed)
        return there[left], there[aside]

    def _check_enough(self, listing: Listing, labels: Labels, readable: Mask) -> None:
        """Every class has images in each part, or enough for both where there is one."""
        parts = {"training": slice(0, len(listing.train)), "test": slice(len(listing.train), None)}
        if listing.test is None:
            del parts["test"]
        for part, rows in parts.items():
            counts = np.bincount(labels[rows][readable[rows]], minlength=len(listing.classes))
            for name, count in zip(listing.classes, counts, strict=True):
                if not count:
                    raise DataError(
                        f"None of the {part} images of the class {name} in {self.folder} can be read."
                    )
                if count == 1 and listing.test is None:
                    raise DataError(
                        f"{self.folder} has only one readable image of the class {name}: two are needed."
                    )

    def _notes(
        self,
        paths: list[str],
        readable: Mask,
        size: tuple[int, int],
        same: bool,
    ) -> list[str]:
        notes = []
        bad = [os.path.relpath(paths[row], self.folder) for row in np.flatnonzero(~readable)]
        if bad:
            count = "1 unreadable image was" if len(bad) == 1 else f"{len(bad):,} unreadable images were"
            more = f" and {len(bad) - 10:,} more" if len(bad) > 10 else ""
            notes.append(f"{count} skipped: {', '.join(bad[:10])}{more}.")
        if not same:
            notes.append(f"The images come in other sizes too; each was brought to {size[0]} × {size[1]}.")
        return notes


def _counts(name: str) -> bool:
    """Not what systems leave behind: .DS_Store, .git, __MACOSX."""
    return not name.startswith((".", "__MACOSX"))


def _classes_in(folder: Path, cancelled: CancelFunction) -> dict[str, list[str]]:
    """Class -> its images, from all folders below it, in a fixed order; an empty folder is no class."""
    classes = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and _counts(entry.name) and (images := _images_below(entry, cancelled)):
            classes[entry.name] = images
    return classes


def _images_below(folder: Path, cancelled: CancelFunction) -> list[str]:
    """In the order of their paths, folder by folder."""
    found = []
    for place, folders, files in os.walk(folder):
        check(cancelled)
        folders[:] = [name for name in folders if _counts(name)]
        found += [os.path.join(place, name) for name in files if _is_image(name)]
    return sorted(found, key=lambda path: path.split(os.sep))


def _is_image(name: str) -> bool:
    return _counts(name) and os.path.splitext(name)[1].lower() in _IMAGE_NAMES
