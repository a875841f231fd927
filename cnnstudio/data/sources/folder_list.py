"""Which folders of images the user has added, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.dataset import DataError
from cnnstudio.data.storage.decoded_cache import forget, place_of

_FORMAT = "cnnstudio.folders"


def remembered_folders() -> dict[str, Path]:
    """Name -> folder. A list that is missing or damaged counts as empty; adding to it says what is wrong."""
    try:
        return _read()
    except (FileError, DataError):
        return {}


def remember_folder(name: str, folder: Path) -> None:
    """Add to the list. Raises FileError or DataError rather than replace a list that cannot be read."""
    _write(_read() | {name: folder})


def forget_folder(name: str) -> None:
    """Take it off the list; the images stay where they are. Raises FileError or DataError."""
    folders = _read()
    folder = folders.pop(name, None)
    if folder is not None:
        _write(folders)
        forget(place_of("folder", str(folder)))
        forget(place_of("fitted", name))


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
