"""A folder of the user's own pictures as a data set."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from cnnstudio.data.cache import keep, kept
from cnnstudio.data.dataset import DataError, Dataset, Pixels, Split, from_channels_last, split_validation
from cnnstudio.data.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.sources.base import Source, datasets_folder
from cnnstudio.data.sources.folder_list import remembered_folders
from cnnstudio.files import is_folder, with_home

VERSION = 1
"""Goes up with every change to how pictures are read, so that no kept copy of an older kind is used."""
TEST_SHARE = 0.2
"""Of each class, where the folder has no test pictures."""

_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "testing", "val", "valid", "validation")
_LONGEST_SIDE = 224
_MOST_BYTES = 2_000_000_000
_JPEG_NAMES = (".jpg", ".jpeg", ".jpe", ".jfif")
_OTHER_NAMES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
_PICTURE_NAMES = frozenset(_JPEG_NAMES + _OTHER_NAMES)
_SIZES_LOOKED_AT = 1_000
_CHUNK = 16


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder by class, unopened. `test` is None where the folder has one level only."""

    classes: tuple[str, ...]
    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...] | None

    @property
    def files(self) -> tuple[tuple[Path, int], ...]:
        """All of them, training first."""
        return self.train + (self.test or ())


class ImageFolder(Source):
    """`train/<class>/…` and `test/<class>/…`, or `<class>/…` alone, one in five of which is for testing."""

    built_in: ClassVar[bool] = False

    def __init__(self, folder: Path, name: str = "", seed: int = 0) -> None:
        self.folder = Path(os.path.abspath(with_home(folder)))
        self.name = name or self.folder.name
        self.title = self.name
        self.description = f"Pictures in {self.folder}"
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
            below = {entry.name.lower(): entry for entry in sorted(self.folder.iterdir()) if _counts(entry)}
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

    def _checked(self, train: dict[str, list[Path]], test: dict[str, list[Path]] | None) -> Listing:
        classes = sorted({*train, *(test or ())})
        if not classes:
            raise DataError(
                f"{self.folder} holds no pictures in class folders: "
                "expected train/<class>/… and test/<class>/…, or <class>/… with a folder for each class."
            )
        if len(classes) == 1:
            raise DataError(
                f"{self.folder} holds only one class ({classes[0]}): there is nothing to tell apart; "
                "add a folder with pictures of another class."
            )
        for part, present in (("training", train), ("test", test)):
            if present is not None and (missing := [name for name in classes if name not in present]):
                raise DataError(
                    f"{self.folder} has no {part} pictures of the class {missing[0]}: add some or remove it."
                )

        def labelled(part: dict[str, list[Path]]) -> tuple[tuple[Path, int], ...]:
            return tuple((path, label) for label, name in enumerate(classes) for path in part[name])

        return Listing(tuple(classes), labelled(train), None if test is None else labelled(test))

    def load(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> Dataset:
        # Pillow comes in with the first pictures: the window lists this source without it.
        from cnnstudio.data.pictures import quiet_pillow

        listing = self.listing(cancelled)
        place = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        path, key = datasets_folder() / "folders" / f"{place}.npz", self._key(listing)
        dataset = kept(path, key)
        if dataset is None:
            with quiet_pillow():
                dataset = self._read(listing, throttled(progress), cancelled)
            keep(path, key, dataset)
        return dataset

    def _key(self, listing: Listing) -> str:
        """Changes with the files' names, sizes and times, and with whatever else the result hangs on."""
        files = []
        for path, label in listing.files:
            try:
                state = path.stat()
            except OSError:
                files.append(
                    (str(path), label, 0, 0)
                )  # read as unreadable, and looked at again once it can be
                continue
            files.append((str(path), label, state.st_size, state.st_mtime_ns))
        words = json.dumps([VERSION, self.name, self._seed, len(listing.train), listing.classes, files])
        return hashlib.sha256(words.encode()).hexdigest()

    def _read(self, listing: Listing, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        paths = [path for path, _ in listing.files]
        labels = np.array([label for _, label in listing.files], np.int64)
        progress(Progress(0, len(paths), f"Looking through {self.title}"))
        (width, height), same = _choose_size(paths, cancelled)
        text = f"Reading {self.title}"
        images, readable = _read_all(paths, (3, height, width), text, progress, cancelled)
        is_train = np.arange(len(paths)) < len(listing.train)
        train = Split(from_channels_last(images[is_train & readable]), labels[is_train & readable])
        notes = self._notes(paths, readable, (width, height), same)
        self._check_readable(listing, train, "training")
        if listing.test is None:
            notes.append(f"One in five pictures of each class was set aside for testing ({TEST_SHARE:.0%}).")
            for label, name in enumerate(listing.classes):
                if np.count_nonzero(train.labels == label) < 2:
                    raise DataError(
                        f"{self.folder} has only one readable picture of the class {name}: two are needed."
                    )
            train, test = split_validation(train, TEST_SHARE, self._seed)
        else:
            test = Split(from_channels_last(images[~is_train & readable]), labels[~is_train & readable])
            self._check_readable(listing, test, "test")
        return Dataset(self.name, self.title, listing.classes, train, test, tuple(notes))

    def _check_readable(self, listing: Listing, split: Split, part: str) -> None:
        present = set(split.labels.tolist())
        for label, name in enumerate(listing.classes):
            if label not in present:
                raise DataError(
                    f"None of the {part} pictures of the class {name} in {self.folder} can be read."
                )

    def _notes(
        self,
        paths: list[Path],
        readable: np.ndarray[Any, np.dtype[np.bool_]],
        size: tuple[int, int],
        same: bool,
    ) -> list[str]:
        notes = []
        bad = [str(paths[row].relative_to(self.folder)) for row in np.flatnonzero(~readable)]
        if bad:
            count = "1 unreadable picture was" if len(bad) == 1 else f"{len(bad):,} unreadable pictures were"
            more = f" and {len(bad) - 10:,} more" if len(bad) > 10 else ""
            notes.append(f"{count} skipped: {', '.join(bad[:10])}{more}.")
        if not same:
            notes.append(f"The pictures come in other sizes too; each was brought to {size[0]} × {size[1]}.")
        return notes


def _counts(entry: Path) -> bool:
    """Not what systems leave behind: .DS_Store, .git, __MACOSX."""
    return not entry.name.startswith((".", "__MACOSX"))


def _classes_in(folder: Path, cancelled: CancelFunction) -> dict[str, list[Path]]:
    """Class -> its pictures, from all folders below it, in a fixed order; an empty folder is no class."""
    classes = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and _counts(entry) and (pictures := _pictures_below(entry, cancelled)):
            classes[entry.name] = pictures
    return classes


def _pictures_below(folder: Path, cancelled: CancelFunction) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        check(cancelled)
        folders[:] = [name for name in folders if _counts(Path(name))]
        paths = [Path(place, name) for name in files if _counts(Path(name))]
        found += [path for path in paths if path.suffix.lower() in _PICTURE_NAMES]
    return sorted(found)


def _choose_size(paths: list[Path], cancelled: CancelFunction) -> tuple[tuple[int, int], bool]:
    """((width, height) for all pictures, whether all have it already).

    The most common size where at least half of the pictures have it, else a square of the median shorter
    side; never more than 224 a side or 2 GB in all. Of large sets an even sample is looked at.
    """
    from cnnstudio.data.pictures import picture_size

    sizes: Counter[tuple[int, int]] = Counter()
    for path in paths[:: max(1, len(paths) // _SIZES_LOOKED_AT)]:
        check(cancelled)
        try:
            sizes[picture_size(path)] += 1
        except DataError:
            continue  # counted and listed when all are read
    if not sizes:
        return (1, 1), True
    (size, count) = sizes.most_common(1)[0]
    if count * 2 < sizes.total():
        sides = sorted(min(each) for each in sizes.elements())
        size = (sides[len(sides) // 2],) * 2
    scale = min(1, _LONGEST_SIDE / max(size), (_MOST_BYTES / (len(paths) * 3 * size[0] * size[1])) ** 0.5)
    chosen = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    return chosen, set(sizes) == {chosen}


def _read_all(
    paths: list[Path],
    shape: tuple[int, int, int],
    text: str,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> tuple[Pixels, np.ndarray[Any, np.dtype[np.bool_]]]:
    """((N, H, W, C), which of them could be read).

    A few threads share the work, because Pillow decodes without holding Python's lock.
    """
    from cnnstudio.data.pictures import read_pixels

    channels, height, width = shape
    images = np.zeros((len(paths), height, width, channels), np.uint8)
    readable = np.zeros(len(paths), bool)
    stopped = threading.Event()

    def read_chunk(start: int) -> int:
        rows = range(start, min(start + _CHUNK, len(paths)))
        for row in rows:
            if stopped.is_set():
                break
            try:
                images[row] = read_pixels(paths[row], shape).transpose(1, 2, 0)
                readable[row] = True
            except DataError:
                continue  # stays marked as unreadable
        return len(rows)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="pictures") as pool:
        waiting: set[Future[int]] = {pool.submit(read_chunk, start) for start in range(0, len(paths), _CHUNK)}
        done = 0
        try:
            while waiting:
                check(cancelled)
                finished, waiting = wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)
                done += sum(future.result() for future in finished)
                progress(Progress(done, len(paths), f"{text}: {done:,} of {len(paths):,} pictures"))
        finally:
            stopped.set()
            for future in waiting:
                future.cancel()
    return images, readable
