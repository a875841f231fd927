"""Adds what the user has: a folder of images, a table of labels, or a zip file with either."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cnnstudio.core.files import exists, expand_home, is_folder
from cnnstudio.core.formatting import clean_line
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.data.dataset import DataError, ResizeMode
from cnnstudio.data.images.sizes import Size
from cnnstudio.data.sources import register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_layout import Reading
from cnnstudio.data.sources.folder_list import RegisteredSet, registered_at, unpacked_folder
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.sources.image_table import ImageTable
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.tables.label_table import is_table_name
from cnnstudio.data.versions.split_plan import SplitPlan

ZIP_SUFFIX = ".zip"
_MAX_NAME = 200


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """A data set that was found, and is not added yet."""

    source: FileSource
    unpacked: Path | None = None
    """The folder that was unpacked for it from a zip file."""
    listed: Listing | None = None
    """What was found, if it is known already: a large folder or table takes seconds to list."""

    @property
    def known_name(self) -> str:
        """The name that they have in the user's list; empty if they are not in it."""
        known = registered_at(self.source.path)
        return known[0] if known else ""

    def listing(self, cancelled: CancelFunction = never_cancelled) -> Listing:
        """The classes and files, as they were found. Raises DataError or Cancelled."""
        return self.source.listing(cancelled) if self.listed is None else self.listed

    def read_as(self, reading: Reading | None) -> PreparedImages:
        """The same images, with their subfolders understood in another way. Raises DataError."""
        now = self.source
        if self.listed is not None and reading == now.entry.reading:
            return self
        source = _source_at(now.path, reading).changed(plan=now.plan, resize=now.resize, size=now.size)
        return PreparedImages(source.named(now.name), self.unpacked)

    def changed(
        self, *, plan: SplitPlan | None = None, resize: ResizeMode | None = None, size: Size | None = None
    ) -> PreparedImages:
        """The same images, split or brought to one size in another way. What is None stays."""
        source = self.source.changed(plan=plan, resize=resize, size=size)
        return dataclasses.replace(self, source=source)

    def add(self, name: str = "") -> FileSource:
        """Adds them to the user's sources. Raises DataError or FileError; then `discard` or add again."""
        return register(self.source, _checked_name(name))

    def discard(self) -> None:
        """Deletes what was unpacked: the images are not added."""
        if self.unpacked is not None:
            shutil.rmtree(self.unpacked, ignore_errors=True)


def add_images(
    path: Path,
    name: str = "",
    reading: Reading | None = None,
    split: Mapping[str, Any] = MappingProxyType({}),
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    resize: ResizeMode | None = None,
    size: Size | None = None,
) -> FileSource:
    """Adds a folder, a table or a zip file to the user's sources, named after it unless `name` is given.

    What is None is as it was when the same was added before, or else the usual way; so are the fields of
    SplitPlan that `split` does not have. Nothing is added or left behind if it is no data set. Raises
    DataError, FileError or Cancelled.
    """
    name, _ = _checked_name(name), SplitPlan(**split)
    prepared = prepare_images(path, reading, progress, cancelled)
    try:
        found, plan = prepared.listing(cancelled), dataclasses.replace(prepared.source.plan, **split)
        unreadable = prepared.source.unreadable_classes(found, cancelled)
        if unreadable:
            prepared.source.require_readable(found, unreadable)
        return prepared.changed(plan=plan, resize=resize, size=size).add(name)
    except BaseException:
        prepared.discard()
        raise


def prepare_images(
    path: Path,
    reading: Reading | None = None,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> PreparedImages:
    """Finds the data set in a folder, a table or a zip file, which is unpacked for that.

    Where it was added before, its settings are those of then, and so is `reading` if it is None.
    Raises DataError, FileError or Cancelled, and leaves nothing behind then.
    """
    path = Path(os.path.abspath(expand_home(path)))
    if path.suffix.lower() == ZIP_SUFFIX and not is_folder(path):
        return _prepare_zip(path, reading, progress, cancelled)
    source = _source_at(path, reading)
    return PreparedImages(source, listed=source.listing(cancelled))


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if stripped != clean_line(stripped) or len(stripped) > _MAX_NAME or (name and not stripped):
        raise DataError(
            f"“{shorten(clean_line(name), 50)}” cannot be the name of a data set: use up to {_MAX_NAME} "
            "printable characters."
        )
    return stripped


def _source_at(path: Path, reading: Reading | None) -> FileSource:
    """What was added before comes with its name and its settings."""
    name, entry = registered_at(path) or ("", RegisteredSet(path))
    if is_folder(path):
        return ImageFolder.registered(name, entry._replace(reading=reading or entry.reading))
    if not exists(path):
        raise DataError(f"There is no folder or file {path}.")
    if not is_table_name(path.name):
        raise DataError(
            f"{path} is not a data set: add a folder of images, a table (CSV) with the columns file and "
            "label, or a zip file with either."
        )
    if reading is not None:
        raise DataError(f"{path} is a table: only folders have a layout.")
    return ImageTable.registered(name, entry)


def _prepare_zip(
    path: Path, reading: Reading | None, progress: ProgressFunction, cancelled: CancelFunction
) -> PreparedImages:
    # Imported here, because few data sets come in zip files.
    from cnnstudio.data.transfer.zip_images import content_key, unpack_images

    readable = re.sub(r"[^\w.-]+", "-", path.stem).strip(".-")[:40] or "images"
    target = folder = unpacked_folder() / f"{readable}-{content_key(path)}"
    try:
        with temporary_folder(unpacked_folder(), "zip") as temporary:
            if not exists(target):
                folder = temporary / "images"
                folder.mkdir()
                unpack_images(path, folder, progress, cancelled)
            inside = _set_inside(folder, reading, cancelled)
            if folder != target:
                os.replace(folder, target)
    except DataError as error:
        # The user knows the zip file, not where it was unpacked.
        raise DataError(str(error).replace(str(folder), str(path))) from None
    except OSError as error:
        raise DataError(f"Cannot unpack {path}: {error.strerror or error}.") from None
    source = _source_at(target / inside.relative_to(folder), reading)
    named = source if registered_at(source.path) else source.named(path.stem)
    return PreparedImages(named, target if folder != target else None)


def _set_inside(folder: Path, reading: Reading | None, cancelled: CancelFunction) -> Path:
    """The data set in an unpacked folder: the folder itself, or a table of its images. Raises DataError.

    A table counts if it names most of the images, or if the images alone are no data set: there may be a list
    of something else beside them.
    """
    table = None if reading is not None else _only_table(folder)
    if table is None:
        _source_at(folder, reading).listing(cancelled)
        return folder
    in_table, problem = _image_count(table, cancelled)
    in_folder, _ = _image_count(folder, cancelled)
    if problem is not None and not in_folder:
        raise problem
    return table if in_table * 2 >= in_folder else folder


def _image_count(path: Path, cancelled: CancelFunction) -> tuple[int, DataError | None]:
    """How many images the data set at that path has; 0 with the reason if it is none."""
    try:
        return len(_source_at(path, None).listing(cancelled).files), None
    except DataError as error:
        return 0, error


def _only_table(folder: Path) -> Path | None:
    """The only table at the top, or in the only folder there."""
    place = folder
    while True:
        entries = sorted(place.iterdir())
        tables = [entry for entry in entries if is_table_name(entry.name) and not is_folder(entry)]
        if len(tables) == 1:
            return tables[0]
        if len(entries) != 1 or not is_folder(entries[0]):
            return None
        place = entries[0]
