"""Changes the corrections of a data set by the names of its files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cnnstudio.core.formatting import list_names
from cnnstudio.core.locking import changing
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import DataError
from cnnstudio.data.versions.corrections import (
    Correction,
    Corrections,
    corrections_path,
    read_corrections,
    write_corrections,
)

if TYPE_CHECKING:
    from cnnstudio.data.sources.file_source import FileSource
    from cnnstudio.data.sources.listing import Listing

_MAX_NAME = 200


def relabel(
    source: FileSource, labels: Mapping[str, str], exclude: Iterable[str] = (), reset: Iterable[str] = ()
) -> Corrections:
    """Sets labels (file -> class), excludes images, and resets others to what their files say.

    All of it is one change, which can be undone. A label that equals that of the files is no correction.
    Raises DataError, before anything is changed, for an unknown file or class; FileError.
    """
    listing = source.listing()
    names = _Names(source, listing)
    changes: dict[str, Correction | None] = {}
    for file, label in labels.items():
        path, own = names.find(file)
        if label not in listing.classes:
            raise DataError(
                f"{source.title} has no class “{shorten(label, _MAX_NAME)}”: use "
                f"{list_names(listing.classes)}."
            )
        is_own = label == own
        changes[source.relative(path)] = None if is_own else Correction.of(source.folder / path, label)
    for file in exclude:
        path, _ = names.find(file)
        changes[source.relative(path)] = Correction.of(source.folder / path, None)
    with locked_labels(source):
        known = read_corrections(source.path)
        for file in reset:
            name = file if file in known.entries else source.relative(names.find(file)[0])
            changes[name] = None
        changed = known.changed(changes)
        _require_images(source, listing, known, changed)
        return _kept(source, changed)


def correct_known(
    source: FileSource, changes: Mapping[str, str | None], reset: Iterable[str] = ()
) -> Corrections:
    """The same for names and classes that are known to be right, without a look at all files.

    `changes` are file names with the right class, or None to exclude the image. Raises DataError if a file
    cannot be read, FileError.
    """
    found: dict[str, Correction | None] = {
        file: Correction.of(source.folder / file, label) for file, label in changes.items()
    }
    found |= dict.fromkeys(reset)
    with locked_labels(source):
        return _kept(source, read_corrections(source.path).changed(found))


def undo_relabeling(source: FileSource) -> Corrections:
    """Takes the last change back. Raises DataError if there is none, FileError."""
    with locked_labels(source):
        return _kept(source, read_corrections(source.path).undone())


def _require_images(source: FileSource, listing: Listing, before: Corrections, after: Corrections) -> None:
    """Raises DataError if a class loses its last training or test image, as far as names can tell."""
    from cnnstudio.data.sources.file_reader import FileReader

    rows = FileReader(source, listing).rows(())
    files = listing.files
    had_labels, has_labels = (
        {os.path.join(source.folder, file): entry.label for file, entry in each.entries.items()}
        for each in (before, after)
    )
    for part in ("train", "test"):
        own = [files[row] for row in rows[part].tolist()]
        had, has = (
            {labels.get(path, listing.classes[label]) for path, label in own}
            for labels in (had_labels, has_labels)
        )
        if missing := [name for name in listing.classes if name in had - has]:
            kind = "training" if part == "train" else part
            raise DataError(
                f"{source.title} would have no {kind} images of class “{shorten(missing[0], _MAX_NAME)}” any "
                "more: nothing was changed."
            )


def locked_labels(source: FileSource) -> AbstractContextManager[None]:
    """Keeps other programs from changing the corrections meanwhile. Raises FileError if one takes long."""
    return changing(corrections_path(source.path), f"the labels of {source.title}")


def _kept(source: FileSource, corrections: Corrections) -> Corrections:
    write_corrections(source.path, corrections)
    return corrections


class _Names:
    """Finds files by their name in the data set, or by their path."""

    def __init__(self, source: FileSource, listing: Listing) -> None:
        self._source = source
        self._labels = {path: listing.classes[label] for path, label in listing.files}

    def find(self, file: str) -> tuple[str, str]:
        """The path and the class that the files tell. Raises DataError."""
        for path in (os.path.join(self._source.folder, file), file):
            path = os.path.abspath(path)
            if path in self._labels:
                return path, self._labels[path]
        names = [self._source.relative(path) for path in self._labels]
        similar = difflib.get_close_matches(file, names[:10_000], n=1)
        hint = f"; did you mean {similar[0]}?" if similar else f"; names look like {names[0]}."
        raise DataError(f"{self._source.title} has no image “{shorten(file, _MAX_NAME)}”{hint}")
