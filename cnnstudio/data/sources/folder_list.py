"""The list of image folders that the user has added, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.folder_layout import READINGS, Reading
from cnnstudio.data.storage.decoded_cache import cache_key, discard

_FORMAT = "cnnstudio.folders"


class RegisteredFolder(NamedTuple):
    """A folder that the user has added."""

    folder: Path
    reading: Reading | None
    """How the user wants its subfolders to be understood; None for the most likely way."""


def registered_folders() -> dict[str, RegisteredFolder]:
    """Name -> folder. A missing or damaged list counts as empty; `register_folder` reports what is wrong."""
    try:
        return _read()
    except (FileError, DataError):
        return {}


def register_folder(name: str, folder: Path, reading: Reading | None = None) -> None:
    """Adds a folder to the list. Raises FileError or DataError rather than overwrite an unreadable list."""
    _write(_read() | {name: RegisteredFolder(folder, reading)})


def unregister_folder(name: str) -> None:
    """Removes a folder from the list, not from the disk. Raises FileError or DataError."""
    folders = _read()
    entry = folders.pop(name, None)
    if entry is not None:
        _write(folders)
        discard(cache_key("folder", str(entry.folder)))
        discard(cache_key("fitted", name))


def _write(folders: dict[str, RegisteredFolder]) -> None:
    entries = [
        {"name": name, "path": str(entry.folder), **({"layout": entry.reading} if entry.reading else {})}
        for name, entry in folders.items()
    ]
    write_json(_path(), {"format": _FORMAT, "version": 1, "folders": entries})


def _read() -> dict[str, RegisteredFolder]:
    if not _path().exists():
        return {}
    value: Any = read_json(_path())
    try:
        return {str(entry["name"]): _entry(entry) for entry in value["folders"]}
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{_path()} is not a list of folders: fix it or delete it.") from error


def _entry(entry: Any) -> RegisteredFolder:
    # A layout that only a newer version knows counts as none.
    reading = next((known for known in READINGS if known == entry.get("layout")), None)
    return RegisteredFolder(Path(entry["path"]), reading)


def _path() -> Path:
    return datasets_folder() / "folders.json"
