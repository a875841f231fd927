"""Reads the image files of a data set into its splits."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.dataset import DataError, Dataset, ResizeMode, Rows, Split
from cnnstudio.data.images.sizes import AUTOMATIC, Size, format_size
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.storage.writers import DatasetWriter

if TYPE_CHECKING:
    from pathlib import Path

    from cnnstudio.data.images.decoding import Mask
    from cnnstudio.data.images.repeated_images import Checksums
    from cnnstudio.data.versions.split_plan import SplitPlan

_MAX_NAMED, _MAX_NAME = 10, 100
_HOW: Mapping[ResizeMode, str] = MappingProxyType(
    {"fill": "", "fit": ", with black beside what has another shape", "stretch": ", whatever their shape"}
)


class Files(Protocol):
    """What the reader has to know of the source of the files."""

    name: str
    title: str
    path: Path
    plan: SplitPlan
    resize: ResizeMode
    size: Size

    @property
    def folder(self) -> Path: ...


class FileReader:
    """The files of a listing. Pillow is imported only when they are read."""

    def __init__(self, source: Files, listing: Listing) -> None:
        self._source, self._listing = source, listing
        self._paths = [path for path, _ in listing.files]
        self._labels = np.array([label for _, label in listing.files], np.int64)

    def rows(self, skipped: Iterable[int]) -> dict[str, Rows]:
        """The files of each split, as row numbers of the listing, where those cannot be read.

        The split is that of all files, unless some class then has no image on one side.
        """
        readable = np.ones(len(self._paths), bool)
        readable[list(skipped)] = False
        rows = {part: found[readable[found]] for part, found in self._rows(np.ones_like(readable)).items()}
        if self._are_complete(rows):
            return rows
        return self._rows(readable)

    def require_images(self, readable: Mask) -> None:
        """Raises DataError unless every class has an image in each part, or two in the only part.

        `readable`, bool (N,), says of each file of the listing whether it can be read.
        """
        listing, title = self._listing, shorten(self._source.title, _MAX_NAME)
        parts = {"training": slice(0, len(listing.train))}
        if listing.test is not None:
            parts["test"] = slice(len(listing.train), len(listing.train) + len(listing.test))
        for part, rows in parts.items():
            counts = np.bincount(self._labels[rows][readable[rows]], minlength=len(listing.classes))
            for each, count in zip(listing.classes, counts, strict=True):
                name = shorten(each, _MAX_NAME)
                if not count:
                    raise DataError(f"None of the {part} images of class {name} in {title} can be read.")
                if count == 1 and listing.test is None:
                    raise DataError(
                        f"{title} has only one readable image of class {name}: add at least one more."
                    )

    def read(self, writer: DatasetWriter, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        """Decodes all images. Raises DataError or Cancelled."""
        from cnnstudio.data.images.decoding import choose_size, decode

        source, paths = self._source, self._paths
        readable = np.ones(len(paths), bool)
        self.require_images(readable)
        progress(Progress(0, len(paths), f"Scanning {source.title}"))
        (height, width), same_size = choose_size(paths, cancelled, source.size)
        shape = (3, height, width)
        writer.reserve(source.title, len(paths) * math.prod(shape))
        while True:
            known = readable.copy()
            rows = self._rows(readable)
            on_chunk = self._progress_counter(sum(map(len, rows.values())), progress)
            splits, checksums = {}, {}
            writer.announce(self._listing.classes, source.resize)
            for part, chosen in rows.items():
                split_writer = writer.split_writer(part, shape, self._labels[chosen])
                chosen_paths = [paths[row] for row in chosen]
                decoded, checksums[part] = decode(
                    *(chosen_paths, self._labels[chosen], shape, source.resize),
                    *(split_writer, writer.previous, on_chunk, cancelled),
                )
                readable[chosen[~decoded]] = False
                rows[part] = chosen[decoded]
                splits[part] = split_writer.finish()
            self._require_still_there(readable)
            self.require_images(readable)
            if self._are_complete(rows):
                break
            if (readable == known).all():
                raise DataError(f"{source.title}: some class has no images left to train or to test with.")
            # Every held-out image of some class turned out to be unreadable. Split again without those: each
            # round excludes at least one image, so this ends.
        size_notes = self._size_notes((height, width), same_size)
        return self._dataset(splits, rows, readable, checksums, size_notes, cancelled)

    def _dataset(
        self,
        splits: dict[str, Split],
        rows: dict[str, Rows],
        readable: Mask,
        checksums: dict[str, Checksums],
        size_notes: list[str],
        cancelled: CancelFunction,
    ) -> Dataset:
        from cnnstudio.data.images.repeated_images import find_repeated

        source, listing = self._source, self._listing
        names = {part: self._names(rows[part]) for part in rows}
        notes = [
            *listing.all_notes,
            *self._skip_notes(readable),
            *size_notes,
            *find_repeated(splits, names, checksums, cancelled),
        ]
        if listing.test is None:
            notes.append(self._split_note())
        return Dataset(
            source.name,
            source.title,
            listing.classes,
            splits["train"],
            splits["test"],
            tuple(notes),
            splits.get("validation"),
            tuple(np.flatnonzero(~readable).tolist()),
            resize=source.resize,
        )

    def _names(self, rows: Rows) -> list[str]:
        return [os.path.relpath(self._paths[row], self._source.folder) for row in rows]

    def _are_complete(self, rows: dict[str, Rows]) -> bool:
        """Whether every class has training and test images."""
        classes = len(self._listing.classes)
        return all(len(np.unique(self._labels[rows[part]])) == classes for part in ("train", "test"))

    def _progress_counter(self, total: int, progress: ProgressFunction) -> Callable[[int], None]:
        """Called with the number of images that were read since the last call; reports the sum."""
        done = 0

        def on_chunk(images: int) -> None:
            nonlocal done
            done += images
            progress(Progress(done, total, f"Reading {self._source.title}: {done:,} of {total:,} images"))

        return on_chunk

    def _rows(self, readable: Mask) -> dict[str, Rows]:
        """The images of each split among those not known to be unreadable."""
        rows: dict[str, Rows] = {}
        start = 0
        for part, files in self._listing.parts.items():
            usable = np.flatnonzero(readable[start : start + len(files)]) + start
            start += len(files)
            if part == "train" and self._listing.test is None:
                names = [os.path.basename(self._paths[row]) for row in usable]
                train, test = self._source.plan.hold_out(self._labels[usable], names)
                rows["train"], rows["test"] = usable[train], usable[test]
            else:
                rows[part] = usable
        return rows

    def _require_still_there(self, readable: Mask) -> None:
        """Raises DataError if files disappeared meanwhile: a copy without them would be kept as complete."""
        unread = [self._paths[row] for row in np.flatnonzero(~readable)]
        gone = [path for path in unread if not os.path.lexists(path)]
        if gone:
            name = os.path.relpath(gone[0], self._source.folder)
            raise DataError(
                f"{pluralize(len(gone), 'file')} of {self._source.title} disappeared while the images were "
                f"read, such as {name}: connect the drive again, or try again."
            )

    def _skip_notes(self, readable: Mask) -> list[str]:
        bad = self._names(np.flatnonzero(~readable))
        if not bad:
            return []
        count = "1 unreadable image was" if len(bad) == 1 else f"{len(bad):,} unreadable images were"
        more = f" and {len(bad) - _MAX_NAMED:,} more" if len(bad) > _MAX_NAMED else ""
        return [f"{count} skipped: {', '.join(bad[:_MAX_NAMED])}{more}."]

    def _size_notes(self, size: Size, same_size: bool) -> list[str]:
        if same_size:
            return []
        how = _HOW[self._source.resize]
        if self._source.size != AUTOMATIC:
            return [f"All images were resized to {format_size(size)}, as you chose{how}."]
        return [f"The images differ in size; all were resized to {format_size(size)}{how}."]

    def _split_note(self) -> str:
        plan = self._source.plan
        together = ", with the images of a group together" if plan.groups else ""
        return f"{plan.share:.0%} of the images of each class were held out as the test set{together}."
