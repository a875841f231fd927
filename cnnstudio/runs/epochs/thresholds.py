"""The thresholds below which networks say "not sure", as the user chose them: one file beside the runs."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.locking import changing
from cnnstudio.core.paths import home

VERSION = 1
MAX_RUNS = 500
_MAX_BYTES = 2**20


def thresholds_file() -> Path:
    return home() / "thresholds.json"


def chosen_threshold(folder: Path, created: datetime | None) -> float | None:
    """The threshold that was chosen for the run in that folder, 0 to 1; None for the proposed one.

    Another run that was trained into the same folder since has none.
    """
    return next((each["threshold"] for each in _read() if _is_of(each, folder, created)), None)


def choose_threshold(folder: Path, created: datetime | None, threshold: float | None) -> None:
    """Remembers a threshold, or with None that the proposed one is used. Raises FileError."""
    with changing(thresholds_file()):
        others = [each for each in _read() if each["run"] != _path(folder)]
        if threshold is not None:
            others.append({"run": _path(folder), "created": _time(created), "threshold": float(threshold)})
        write_json(thresholds_file(), {"version": VERSION, "thresholds": others[-MAX_RUNS:]})


def _read() -> list[dict[str, Any]]:
    """The entries, oldest first; those that are damaged are skipped."""
    try:
        content = read_json(thresholds_file(), _MAX_BYTES)
    except FileError:
        return []
    entries = content.get("thresholds") if isinstance(content, dict) else None
    return [each for each in entries if _is_sound(each)] if isinstance(entries, list) else []


def _is_sound(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    threshold: Any = entry.get("threshold")
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        return False
    return all(isinstance(entry.get(name), str) for name in ("run", "created"))


def _is_of(entry: dict[str, Any], folder: Path, created: datetime | None) -> bool:
    return bool(entry["run"] == _path(folder) and entry["created"] == _time(created))


def _path(folder: Path) -> str:
    return os.path.abspath(folder)


def _time(created: datetime | None) -> str:
    return "" if created is None else created.isoformat()
