"""The summaries of all runs in one file of the user's home, so that a thousand runs are listed at once.

Each is kept with the times and sizes of the run's files that it was made from, and made anew when one of them
differs. The file can be deleted at any time, and one that is damaged or of another version is ignored. It has
a checksum, because its values are shown without being checked again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from cnnstudio.core.files import FileError, read_json, write_atomically
from cnnstudio.core.paths import home
from cnnstudio.runs.library.label import LABEL_FILE, NO_LABEL, RunLabel
from cnnstudio.runs.library.summary import RunSummary, Values
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Status

FORMAT = "cnnstudio.run-summaries"
VERSION = 3
MAX_BYTES = 256 * 2**20

Stamp = list[int]
"""The time and the size of each file of a run; -1 for a missing one."""
_FILES = (RUN_FILE, EVENTS_FILE, RECIPE_FILE, DESIGN_FILE, LABEL_FILE)

_TEXT, _FLOAT, _WHOLE, _LIST, _FLAG = (str,), (int, float), (int,), (list,), (bool,)
_MAYBE_FLOAT, _MAYBE_WHOLE = (int, float, type(None)), (int, type(None))
_KINDS: tuple[tuple[type, ...], ...] = (
    *(_TEXT, _TEXT, _FLOAT, _TEXT, _TEXT, _WHOLE, _WHOLE),
    *(_WHOLE, _TEXT, _WHOLE, _MAYBE_WHOLE, _MAYBE_WHOLE, _MAYBE_FLOAT),
    *(_MAYBE_WHOLE, _MAYBE_FLOAT, _MAYBE_FLOAT, _MAYBE_FLOAT, _FLOAT, _TEXT),
    *(_TEXT, _LIST, _TEXT, _TEXT, _TEXT, _TEXT, _FLAG),
)
"""The types of the values of one row, in the order of `_to_row`."""


def cache_path() -> Path:
    """The file of the summaries."""
    return home() / "run-summaries.json"


def stamp_of(folder: str) -> Stamp:
    """The times and sizes of the files that a summary is made from."""
    stamp = []
    for name in _FILES:
        try:
            found = os.stat(f"{folder}{os.sep}{name}")
        except (OSError, ValueError):
            stamp += [-1, -1]
        else:
            stamp += [found.st_mtime_ns, found.st_size]
    return stamp


def read_cache(folder: Path) -> dict[str, tuple[Stamp, RunSummary]]:
    """The kept summaries of the runs in that folder by their ids; empty if there are none to be used."""
    try:
        content = read_json(cache_path(), MAX_BYTES)
    except FileError:
        return {}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return {}
    if content.get("version") != VERSION or content.get("folder") != str(folder):
        return {}
    if content.pop("sha256", None) != _checksum(content):
        return {}
    recipes, designs = _values(content.get("recipes")), _values(content.get("designs"))
    rows = content.get("runs")
    found = {}
    for name, entry in rows.items() if isinstance(rows, dict) else ():
        if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], list) and _is_row(entry[1]):
            summary = _from_row(folder / name, entry[1], recipes, designs)
            if summary is not None:
                found[name] = entry[0], summary
    return found


def write_cache(folder: Path, summaries: dict[str, tuple[Stamp, RunSummary]]) -> None:
    """Replaces what is kept. Raises FileError."""
    recipes, designs = _Table[Values](), _Table[Values]()
    rows = {name: [stamp, _to_row(summary, recipes, designs)] for name, (stamp, summary) in summaries.items()}
    content = {
        "format": FORMAT,
        "version": VERSION,
        "folder": str(folder),
        "recipes": recipes.values,
        "designs": designs.values,
        "runs": rows,
    }
    content["sha256"] = _checksum(content)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    write_atomically(cache_path(), text.encode("utf-8", "backslashreplace"))


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


V = TypeVar("V")


class _Table(Generic[V]):
    """Values that many rows share, each written once."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, key: Hashable, value: V) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


def _to_row(summary: RunSummary, recipes: _Table[Values], designs: _Table[Values]) -> list[Any]:
    label = summary.label
    return [
        *(summary.name, summary.status, summary.created, summary.data, summary.recipe_name),
        *(summary.seed, summary.epochs),
        recipes.number(tuple(summary.settings.items()), summary.settings),
        summary.design,
        designs.number(summary.design, summary.design_values),
        *(summary.parameters, summary.best_epoch, summary.best_accuracy),
        *(summary.last_epoch, summary.last_accuracy, summary.last_loss, summary.test_accuracy),
        *(summary.seconds, summary.parent, label.title, list(label.tags), label.note),
        *(summary.training, summary.validation, summary.data_version),
        summary.is_chosen_on_test,
    ]


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(_KINDS)
        and all(type(value) in kinds for value, kinds in zip(row, _KINDS, strict=True))
    )


def _from_row(
    folder: Path, row: list[Any], recipes: list[Values], designs: list[Values]
) -> RunSummary | None:
    """None for a row that refers to what is not there."""
    recipe, values, (title, tags, note) = row[7], row[9], row[19:22]
    if not (0 <= recipe < len(recipes) and 0 <= values < len(designs)) or row[1] not in get_args(Status):
        return None
    label = RunLabel(title, tuple(map(str, tags)), note) if title or tags or note else NO_LABEL
    before, between, after = row[:7], row[10:19], row[22:]
    values_in_order = [
        *(folder, *before, recipes[recipe], row[8], designs[values]),
        *(*between, label, *after),
    ]
    return RunSummary(*values_in_order)


def _values(content: Any) -> list[Values]:
    """The shared values; none if one of them is not as it was written."""
    if not isinstance(content, list):
        return []
    plain = (str, int, float, bool)
    are_sound = all(
        isinstance(each, dict) and all(type(value) in plain for value in each.values()) for each in content
    )
    return content if are_sound else []
