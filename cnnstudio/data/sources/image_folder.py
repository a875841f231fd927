"""A folder of images, with one subfolder per class, as a data set."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cnnstudio.core.files import expand_home, is_folder
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    throttled,
)
from cnnstudio.data.class_sizes import describe_unequal_sizes
from cnnstudio.data.dataset import DataError, Dataset, Labels, Rows, stratified_split
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.folder_layout import Question, Reading, find_layout
from cnnstudio.data.sources.folder_list import registered_folders
from cnnstudio.data.sources.folder_scan import FolderScan, scan
from cnnstudio.data.storage.decoded_cache import cache_key, get_or_create
from cnnstudio.data.storage.writers import DatasetWriter

if TYPE_CHECKING:
    from cnnstudio.data.images.decoding import Mask

VERSION = 2
"""Raised with every change to how images are read, so that older cached copies are not used."""
TEST_FRACTION = 0.2
"""Of each class, if the folder has no test images."""

_MAX_DECODED_FOR_INFO = 20_000

_MAX_NAMED = 10
_READERS = {
    "HEIC": "install the package pi-heif, or save them as JPEG",
    "AVIF": "install a newer Pillow, or save them as JPEG",
}
_OTHER_FILES = {
    "table": "lists of labels in a table are not read: sort the images into class folders",
    "archive": "archives are not opened: unpack it first",
    "arrays": "arrays are not read: save the images as files, in class folders",
}


@dataclass(frozen=True)
class Listing:
    """The image files of a folder as (path, class index), unopened.

    `test` and `validation` are None where the folder has no such images. Paths are strings, which take a
    third of the memory of `Path` objects: there may be millions.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...] | None
    validation: tuple[tuple[str, int], ...] | None = None
    notes: tuple[str, ...] = ()
    """Sentences about how the folder was understood."""
    question: Question | None = None
    """What its names do not tell for certain."""

    @property
    def parts(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """The files of each split that the folder has, by the split's name."""
        found = {"train": self.train, "test": self.test, "validation": self.validation}
        return {part: files for part, files in found.items() if files is not None}

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """All files in the order of `parts`."""
        return tuple(file for files in self.parts.values() for file in files)


class ImageFolder(Source):
    """`train/<class>/…` and `test/<class>/…`, or only `<class>/…`, of which 20% become the test set.

    Other layouts are recognized too; see `folder_layout`.
    """

    built_in: ClassVar[bool] = False

    def __init__(self, folder: Path, name: str = "", seed: int = 0, reading: Reading | None = None) -> None:
        """`reading` is how the user wants the subfolders to be understood; None for the most likely way."""
        self.folder = Path(os.path.abspath(expand_home(folder)))
        self.name = name or self.folder.name
        self.title = self.name
        self.description = f"Images in {self.folder}"
        self.reading = reading
        self._seed = seed

    @classmethod
    def discover(cls) -> list[Self]:
        return [
            cls(entry.folder, name, reading=entry.reading) for name, entry in registered_folders().items()
        ]

    def available(self) -> bool:
        return is_folder(self.folder)

    def info(self) -> dict[str, Any]:
        about = super().info() | {"folder": str(self.folder)}
        try:
            listing = self.listing()
        except DataError as error:
            return about | {"available": False, "problem": str(error)}
        return about | self._about(listing)

    def _about(self, listing: Listing) -> dict[str, Any]:
        return {
            "classes": list(listing.classes),
            "train": len(listing.train),
            "test": None if listing.test is None else len(listing.test),
            **({} if listing.validation is None else {"validation": len(listing.validation)}),
            "notes": [*listing.notes, *_question_notes(listing.question), *_balance_note(listing)],
            "layouts": dict(listing.question.answers) if listing.question else {},
        }

    def checked_info(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> dict[str, Any]:
        """`info` without the files that cannot be read as images, which are counted as "unreadable"."""
        about = super().info() | {"folder": str(self.folder)}
        try:
            listing = self.listing(cancelled)
        except DataError as error:
            return about | {"available": False, "problem": str(error)}
        about |= self._about(listing)
        counts = {
            part: self._count_readable(files, progress, cancelled) for part, files in listing.parts.items()
        }
        return about | counts | {"unreadable": len(listing.files) - sum(counts.values())}

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
        found = scan(self.folder, cancelled)
        layout = find_layout(found, self.reading)
        train, test = layout.train, layout.test
        classes = sorted({*train, *(test or ())})
        if not classes:
            raise DataError(
                f"{self.folder} has no images in class folders: "
                "expected train/<class>/… and test/<class>/…, or <class>/…, with one folder per class"
                f"{_instead(found)}."
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

        def labeled(part: dict[str, list[str]] | None) -> tuple[tuple[str, int], ...] | None:
            if part is None:
                return None
            return tuple((path, label) for label, name in enumerate(classes) for path in part.get(name, ()))

        notes = (*layout.notes, *_left_out(found))
        return Listing(
            tuple(classes),
            labeled(train) or (),
            labeled(test),
            labeled(layout.validation),
            notes,
            layout.question,
        )

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
        settings: list[object] = [VERSION, self.name, self._seed, len(listing.train), listing.classes]
        # Only where there is more to say, so that what older versions have decoded stays in use.
        said = [*listing.notes, *_question_notes(listing.question)]
        if said or listing.validation is not None:
            settings += [said, {part: len(files) for part, files in listing.parts.items()}]
        digest = hashlib.sha256(json.dumps(settings).encode())
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
        from cnnstudio.data.images.repeated_images import find_repeated

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
            on_chunk = self._progress_counter(sum(map(len, rows.values())), progress)
            splits = {}
            for part, chosen in rows.items():
                split_writer = writer.split_writer(part, shape)
                chosen_paths = [paths[row] for row in chosen]
                decoded = decode(chosen_paths, labels[chosen], shape, split_writer, on_chunk, cancelled)
                readable[chosen[~decoded]] = False
                rows[part] = chosen[decoded]
                splits[part] = split_writer.finish()
            self._require_images(listing, labels, readable)
            if all(len(np.unique(splits[part].labels)) == len(listing.classes) for part in ("train", "test")):
                break
            # Every held-out image of some class turned out to be unreadable. Split again without those: each
            # round excludes at least one image, so this ends.
        names = {part: [os.path.relpath(paths[row], self.folder) for row in rows[part]] for part in rows}
        notes = [
            *listing.notes,
            *_question_notes(listing.question),
            *self._notes(paths, readable, (width, height), same_size),
            *find_repeated(splits, names, cancelled),
        ]
        if listing.test is None:
            notes.append(f"{TEST_FRACTION:.0%} of the images of each class were held out as the test set.")
        return Dataset(
            self.name,
            self.title,
            listing.classes,
            splits["train"],
            splits["test"],
            tuple(notes),
            splits.get("validation"),
        )

    def _progress_counter(self, total: int, progress: ProgressFunction) -> Callable[[int], None]:
        """Called with the number of images that were read since the last call; reports the sum."""
        done = 0

        def on_chunk(images: int) -> None:
            nonlocal done
            done += images
            progress(Progress(done, total, f"Reading {self.title}: {done:,} of {total:,} images"))

        return on_chunk

    def _rows(self, listing: Listing, labels: Labels, readable: Mask) -> dict[str, Rows]:
        """The images of each split among those not known to be unreadable."""
        rows: dict[str, Rows] = {}
        start = 0
        for part, files in listing.parts.items():
            usable = np.flatnonzero(readable[start : start + len(files)]) + start
            start += len(files)
            if part == "train" and listing.test is None:
                train, test = stratified_split(labels[usable], TEST_FRACTION, self._seed)
                rows["train"], rows["test"] = usable[train], usable[test]
            else:
                rows[part] = usable
        return rows

    def _require_images(self, listing: Listing, labels: Labels, readable: Mask) -> None:
        """Raises DataError unless every class has a readable image in each part, or two in the only part."""
        parts = {"training": slice(0, len(listing.train))}
        if listing.test is not None:
            parts["test"] = slice(len(listing.train), len(listing.train) + len(listing.test))
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


def _question_notes(question: Question | None) -> Iterator[str]:
    """What was assumed."""
    if question is not None:
        yield (
            f"{question.text}. Assumed: {dict(question.answers)[question.assumed]}. "
            "If that is wrong, add the folder with another layout."
        )


def _left_out(found: FolderScan) -> Iterator[str]:
    for name, count in sorted(found.left_out.items()):
        verb = "was" if count == 1 else "were"
        yield f"{pluralize(count, f'{name} image')} {verb} left out: {_READERS[name]}."


def _instead(found: FolderScan) -> str:
    """What is there instead of images, for the end of a sentence."""
    if found.images:
        return ""
    for name, count in sorted(found.left_out.items()):
        return f". Its {pluralize(count, f'{name} image')} cannot be read here: {_READERS[name]}"
    for kind, name in found.others.items():
        return f". It has {name}, but {_OTHER_FILES[kind]}"
    return ""


def _balance_note(listing: Listing) -> Iterator[str]:
    """What a recipe offers for classes that are far apart in size. A training says it itself."""
    counts = Counter(label for _, label in listing.train)
    unequal = describe_unequal_sizes({name: counts[label] for label, name in enumerate(listing.classes)})
    if unequal:
        yield (
            f"{unequal}: with balanced class weights (class_weights in the recipe), all classes count the "
            "same."
        )
