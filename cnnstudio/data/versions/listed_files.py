"""Which files a version of a data set has, in which split and of which class.

In a file of its own beside the versions, which all versions share that differ in corrections alone: a version
stays small, and two of them can still be compared file by file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, exists, keep_newest, read_json, write_atomically
from cnnstudio.core.paths import datasets_folder

MAX_FILES = 200_000
"""Versions of larger sets are compared by their counts."""
_FORMAT, _VERSION = "cnnstudio.version-files", 1
_MAX_BYTES = 2**28
_MAX_KEPT = 100
"""Lists; the oldest ones go. Each time that the files of a large set change, there is one of some 15 MB."""
_DIGITS = 16


class ListedFile(NamedTuple):
    """One file of a version."""

    split: str
    label: str
    """The class that the files tell, without corrections."""
    size: int
    """In bytes; -1 if it was gone."""


def record_files(files: Mapping[str, ListedFile]) -> str:
    """Keeps the files by name; what a version has to note to find them again, empty if they are not kept.

    A home that cannot be written is no error.
    """
    if len(files) > MAX_FILES:
        return ""
    rows = [[name, *each] for name, each in sorted(files.items())]
    content = json.dumps({"format": _FORMAT, "version": _VERSION, "files": rows}, separators=(",", ":"))
    key = _digest(content)
    with suppress(FileError):
        if not exists(_path(key)):
            write_atomically(_path(key), content.encode("ascii"))
            keep_newest(_path(key).parent, _MAX_KEPT)
        return key
    return ""


def read_files(key: object) -> dict[str, ListedFile] | None:
    """The files that were kept under that key; None if there are none, or not as they were written."""
    if not isinstance(key, str) or not has_files(key):
        return None
    with suppress(UserError, TypeError, KeyError, ValueError):
        content: Any = read_json(_path(key), _MAX_BYTES)
        if _digest(json.dumps(content, separators=(",", ":"))) == key:
            return {
                str(name): ListedFile(str(split), str(label), int(size))
                for name, split, label, size in content["files"]
            }
    return None


def has_files(key: object) -> bool:
    """Whether there is a list under that key, which `read_files` checks."""
    return isinstance(key, str) and len(key) == _DIGITS and key.isalnum() and exists(_path(key))


def _path(key: str) -> Path:
    return datasets_folder() / "versions" / "files" / f"{key}.json"


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode("ascii")).hexdigest()[:_DIGITS]
