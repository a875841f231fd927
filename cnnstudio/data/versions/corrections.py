"""Corrections of labels and excluded images, kept beside the settings: the user's files are never touched.

One file for each data set. A correction belongs to a file's content: if the file is gone or has changed, it
is ignored, and said, until the file is as it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cnnstudio.core.files import exists, open_regular, read_json, write_json
from cnnstudio.core.paths import home
from cnnstudio.data.dataset import DataError
from cnnstudio.data.storage.decoded_cache import cache_key

_FORMAT, _VERSION = "cnnstudio.labels", 1
_MAX_BYTES = 2**28
"""Of the file: a million corrections."""
_MAX_FILE_BYTES = 2**30
_BLOCK_BYTES = 2**20
_MAX_UNDO = 100

State = Literal["valid", "gone", "changed"]


@dataclass(frozen=True)
class Correction:
    """What is different about one image."""

    label: str | None
    """The right class; None to exclude the image."""
    size: int
    modified: int
    """In ns. If size and time are as they were, the content is not read."""
    sha256: str

    @classmethod
    def of(cls, path: Path, label: str | None) -> Correction:
        """Raises DataError if the file cannot be read."""
        try:
            state = os.stat(path)
            return cls(label, state.st_size, state.st_mtime_ns, _digest(path))
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None

    def state(self, path: Path) -> State:
        """Whether the file is the one that was corrected."""
        try:
            found = os.stat(path)
            if (found.st_size, found.st_mtime_ns) == (self.size, self.modified):
                return "valid"
            same = found.st_size == self.size and _digest(path) == self.sha256
        except OSError:
            return "gone"
        return "valid" if same else "changed"


Changes = Mapping[str, Correction | None]
"""File name -> correction, or None for none. Names start from the set's folder, with / between parts."""


@dataclass(frozen=True)
class Corrections:
    """All corrections of a data set, and what the last changes replaced."""

    entries: Mapping[str, Correction] = field(default_factory=dict)
    replaced: Sequence[Changes] = ()
    """For undo: what each change replaced, the last one at the end."""

    def changed(self, changes: Changes) -> Corrections:
        """With these changes, which can be undone as one."""
        before = {file: self.entries.get(file) for file in changes}
        return Corrections(self._with(changes), (*self.replaced, before)[-_MAX_UNDO:])

    def undone(self) -> Corrections:
        """Without the last change. Raises DataError if there is none."""
        if not self.replaced:
            raise DataError("There is no change of labels to undo.")
        return Corrections(self._with(self.replaced[-1]), tuple(self.replaced[:-1]))

    def _with(self, changes: Changes) -> dict[str, Correction]:
        merged = {**self.entries, **changes}
        return {file: entry for file, entry in sorted(merged.items()) if entry is not None}


def corrections_path(source: Path) -> Path:
    """The file with the corrections of the data set at that path."""
    return home() / "labels" / f"{cache_key('labels', str(source))}.json"


def read_corrections(source: Path) -> Corrections:
    """The corrections of the data set at that path. Raises FileError, or DataError if they are damaged."""
    path = corrections_path(source)
    if not exists(path):
        return Corrections()
    content: Any = read_json(path, _MAX_BYTES)
    try:
        entries = changes_from_json(content["corrections"])
        replaced = tuple(changes_from_json(step) for step in content["undo"])
    except (TypeError, KeyError, AttributeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} has no corrections of labels: fix it or delete it.") from error
    return Corrections({file: entry for file, entry in entries.items() if entry is not None}, replaced)


def write_corrections(source: Path, corrections: Corrections) -> None:
    """Keeps the corrections of the data set at that path. Raises FileError."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "images": str(source),
        "corrections": changes_to_json(corrections.entries),
        "undo": [changes_to_json(step) for step in corrections.replaced],
    }
    write_json(corrections_path(source), content)


def changes_to_json(changes: Changes) -> dict[str, Any]:
    """What `changes_from_json` reads."""
    return {file: None if entry is None else vars(entry) for file, entry in changes.items()}


def changes_from_json(value: Any) -> dict[str, Correction | None]:
    """What `changes_to_json` wrote. Raises TypeError, KeyError, AttributeError, ValueError, OverflowError."""
    return {str(file): None if entry is None else _correction(entry) for file, entry in value.items()}


def _correction(entry: Any) -> Correction:
    label = None if entry["label"] is None else str(entry["label"])
    return Correction(label, int(entry["size"]), int(entry["modified"]), str(entry["sha256"]))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path, _MAX_FILE_BYTES) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
