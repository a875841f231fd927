"""The list of image folders that the user has added, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.dataset import DataError
from cnnstudio.data.storage.decoded_cache import cache_key, discard

_FORMAT = "cnnstudio.folders"


def registered_folders() -> dict[str, Path]:
    """Name -> folder. A missing or damaged list counts as empty; `register_folder` reports what is wrong."""
    try:
        return _read()
    except (FileError, DataError):
        return {}


def register_folder(name: str, folder: Path) -> None:
    """Adds a folder to the list. Raises FileError or DataError rather than overwrite an unreadable list."""
    _write(_read() | {name: folder})


def unregister_folder(name: str) -> None:
    """Removes a folder from the list, not from the disk. Raises FileError or DataError."""
    folders = _read()
    folder = folders.pop(name, None)
    if folder is not None:
        _write(folders)
        discard(cache_key("folder", str(folder)))
        discard(cache_key("fitted", name))


def _write(folders: dict[str, Path]) -> None:
    entries = [{"name": name, "path": str(path)} for name, path in folders.items()]
    write_json(_path(), {"format": _FORMAT, "version": 1, "folders": entries})


def _read() -> dict[str, Path]:
    if not _path().exists():
        return {}
    value: Any = read_json(_path())
    try:
        return {str(entry["name"]): Path(entry["path"]) for entry in value["folders"]}
    except (TypeError, KeyError) as error:
        raise DataError(f"{_path()} is not a list of folders: fix it or delete it.") from error


def _path() -> Path:
    return datasets_folder() / "folders.json"
