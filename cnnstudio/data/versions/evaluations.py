"""How often the test set of a version of a data set was evaluated.

Each look at a test set that is followed by a choice makes its accuracy a little too good. The count shows how
far it can be trusted. It is kept for each version, beside the data sets.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import read_json, write_json
from cnnstudio.core.formatting import format_count
from cnnstudio.core.locking import changing
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.versions.version import is_version_id

_FORMAT, _VERSION = "cnnstudio.evaluations", 1
_MAX_KEPT = 1_000
"""Of the latest; older ones are only counted."""


def count_evaluation(version: str, run: str, epoch: int | None, key: str = "") -> None:
    """Counts an evaluation of the test set by the run of that name.

    One with a `key` counts once, such as that of a training, which may be resumed at its end. If it cannot be
    written, nothing is counted: no result depends on it.
    """
    if not is_version_id(version):
        return
    path = _path(version)
    with suppress(UserError), changing(path):
        _add(path, {"run": run, "epoch": epoch, "key": key})


def evaluation_count(version: str) -> int:
    """How often the test set of that version was evaluated on this computer, as far as is known."""
    return int(_read(_path(version))["count"]) if is_version_id(version) else 0


def describe_evaluations(count: int) -> str:
    """`evaluated 3 times`; empty if it is not known."""
    if not count:
        return ""
    return "evaluated once" if count == 1 else f"evaluated {format_count(count)} times"


def _add(path: Path, entry: dict[str, Any]) -> None:
    known = _read(path)
    entries: list[dict[str, Any]] = known["evaluations"]
    if entry["key"] and any(each.get("key") == entry["key"] for each in entries):
        return
    entries.append({"time": datetime.now().astimezone().isoformat(timespec="seconds"), **entry})
    content = {"count": int(known["count"]) + 1, "evaluations": entries[-_MAX_KEPT:]}
    write_json(path, {"format": _FORMAT, "version": _VERSION, **content})


def _read(path: Path) -> dict[str, Any]:
    """A missing or damaged file counts as none."""
    with suppress(UserError):
        content: Any = read_json(path)
        if isinstance(content, dict) and type(content.get("count")) is int and content["count"] >= 0:
            entries = content.get("evaluations")
            if isinstance(entries, list) and all(isinstance(each, dict) for each in entries):
                return content
    return {"count": 0, "evaluations": []}


def _path(version: str) -> Path:
    return datasets_folder() / "evaluations" / f"{version}.json"
