"""Finds the files that a table names, and says which are missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.folder_layout import Classes, Layout, Role, role_of, with_splits
from cnnstudio.data.sources.folder_scan import is_image_name
from cnnstudio.data.tables.label_table import LabelTable, TableRow

_MAX_NAMED = 5
_MAX_NAME = 80
_MAX_CLASSES = 10_000
_CHECK_EVERY = 1_000


class _Folders:
    """What lies in folders, each read once: asking the system for every file would take minutes."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._found: dict[str, dict[str, str]] = {}
        self._named: dict[str, dict[str, str]] = {}
        """The same by the beginnings of names: a million files are in few folders, whose paths take long."""

    def find(self, name: str) -> str | None:
        """The path of the file of that name, which may lack its extension; "" for one outside of the root."""
        head, slash, base = name.replace("\\", "/").rpartition("/")
        if base in ("", ".", ".."):
            head, slash, base = f"{head}{slash}{base}", "", ""
        known = self._named.get(head + slash) if base else None
        if known is None:
            path = os.path.normpath(os.path.join(self._root, f"{head}{slash}{base}"))
            if not path.startswith(self._root.rstrip(os.sep) + os.sep):
                return ""
            parent, base = os.path.split(path)
            known = self._inside(parent)
            if slash or head == "":
                self._named[head + slash] = known
        return known.get(base)

    def _inside(self, folder: str) -> dict[str, str]:
        """Name -> path, with and without the extension."""
        if folder not in self._found:
            names: dict[str, str] = {}
            try:
                with os.scandir(folder) as entries:
                    whole = sorted(entry.name for entry in entries if entry.is_file())
            except OSError:
                whole = []
            for each in filter(is_image_name, whole):
                names.setdefault(os.path.splitext(each)[0], os.path.join(folder, each))
            self._found[folder] = names | {each: os.path.join(folder, each) for each in whole}
        return self._found[folder]


def layout_of_table(path: Path, table: LabelTable, cancelled: CancelFunction) -> Layout:
    """The images of a table by split and class. Raises DataError if none of its files is there; Cancelled."""
    folders, missing, outside = _Folders(path.parent), list[str](), list[str]()
    chosen: dict[str, TableRow] = {}
    repeated, contradicting = 0, set[str]()
    for number, row in enumerate(table.rows):
        if number % _CHECK_EVERY == 0:
            raise_if_cancelled(cancelled)
        found = folders.find(row.file)
        if not found:
            (missing if found is None else outside).append(row.file)
        elif found not in chosen:
            chosen[found] = row
        elif (row.label, row.split) == (chosen[found].label, chosen[found].split):
            repeated += 1
        else:
            contradicting.add(found)
    if not chosen:
        raise DataError(_nothing_found(path, table, missing, outside))
    notes = [
        *_file_notes(missing, "missing"),
        *_file_notes(outside, f"not in {path.parent}, the folder of the table"),
        *_file_notes(
            [os.path.relpath(each, path.parent) for each in sorted(contradicting)],
            "listed with different labels or splits",
        ),
    ]
    if repeated:
        notes.append(f"{pluralize(repeated, 'line')} {_verb(repeated)[1]} what another line says already.")
    for each in contradicting:
        del chosen[each]
    if not chosen:
        name = shorten(os.path.relpath(min(contradicting), path.parent), _MAX_NAME)
        raise DataError(
            f"{path} lists every file more than once, with different labels or splits, such as “{name}”: "
            "leave one line for each file."
        )
    return _by_split(path, chosen, [*table.notes, *notes])


def _by_split(path: Path, chosen: dict[str, TableRow], notes: list[str]) -> Layout:
    found: dict[Role, Classes] = {}
    sources: dict[Role, str] = {}
    unknown: dict[str, int] = {}
    for each, row in chosen.items():
        role: Role | None = role_of(row.split) if row.split else "train"
        if role is None:
            unknown[row.split] = unknown.get(row.split, 0) + 1
            continue
        sources.setdefault(role, row.split)
        found.setdefault(role, {}).setdefault(row.label, []).append(each)
    for name, count in list(unknown.items())[:_MAX_NAMED]:
        notes.append(
            f"{pluralize(count, 'image')} in the split “{shorten(name, _MAX_NAME)}” {_verb(count)[0]} not "
            "used: splits are train, validation and test."
        )
    if "train" not in found:
        raise DataError(f"{path} has no training images: its column “split” never says train.")
    if len({name for classes in found.values() for name in classes}) > _MAX_CLASSES:
        raise DataError(
            f"{path} has more than {_MAX_CLASSES:,} different labels: is “label” the column with the classes?"
        )
    return with_splits(found, sources, notes)


def _nothing_found(path: Path, table: LabelTable, missing: list[str], outside: list[str]) -> str:
    if not table.rows:
        return f"{path} has no line with a file and a label."
    if outside and not missing:
        return (
            f"The images of {path} must be in its folder or below: “{shorten(outside[0], _MAX_NAME)}” is not."
        )
    return (
        f"None of the {len(table.rows):,} files of {path} is there, such as "
        f"“{shorten(missing[0], _MAX_NAME)}”: their paths start from the folder of the table."
    )


def _file_notes(files: Sequence[str], what: str) -> list[str]:
    if not files:
        return []
    named = ", ".join(shorten(name, _MAX_NAME) for name in files[:_MAX_NAMED])
    more = f" and {len(files) - _MAX_NAMED:,} more" if len(files) > _MAX_NAMED else ""
    return [f"{pluralize(len(files), 'file')} {_verb(len(files))[0]} {what} and not used: {named}{more}."]


def _verb(count: int) -> tuple[str, str]:
    return ("is", "repeats") if count == 1 else ("are", "repeat")
