"""Labels that the user has confirmed in a review, so that nobody is asked twice.

They change nothing about the data set. Kept beside the corrections, one file for each data set; like a
correction, each belongs to a file's content and is forgotten when that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists, read_json, write_json
from cnnstudio.data.versions.corrections import (
    Correction,
    changes_from_json,
    changes_to_json,
    corrections_path,
)
from cnnstudio.data.versions.relabeling import locked_labels

if TYPE_CHECKING:
    from cnnstudio.data.sources.file_source import FileSource

_FORMAT, _VERSION = "cnnstudio.confirmed-labels", 1
_MAX_BYTES = 2**28


def read_confirmed(source: FileSource) -> dict[str, str]:
    """The confirmed labels by file, of the files that are as they were. A damaged file counts as none."""
    return {
        file: entry.label
        for file, entry in _read(source.path).items()
        if entry.label is not None and entry.state(source.folder / file) == "valid"
    }


def confirm_label(source: FileSource, file: str, label: str | None) -> None:
    """Keeps that the label is right; None forgets it. Raises DataError if the file is gone, FileError."""
    entry = None if label is None else Correction.of(source.folder / file, label)
    with locked_labels(source):
        known = _read(source.path)
        known.pop(file, None)
        if entry is not None:
            known[file] = entry
        content = {"format": _FORMAT, "version": _VERSION, "images": str(source.path)}
        write_json(_path(source.path), {**content, "confirmed": changes_to_json(known)})


def _read(source: Path) -> dict[str, Correction]:
    path = _path(source)
    with suppress(UserError, TypeError, KeyError, AttributeError, ValueError, OverflowError):
        content: Any = read_json(path, _MAX_BYTES) if exists(path) else {"confirmed": {}}
        found: Mapping[str, Correction | None] = changes_from_json(content["confirmed"])
        return {file: entry for file, entry in found.items() if entry is not None}
    return {}


def _path(source: Path) -> Path:
    path = corrections_path(source)
    return path.with_name(f"{path.stem}-confirmed.json")
