"""`label.json` in a run's folder: the title, tags and note that the user gives a run.

It is a file of its own, so that labeling a run changes nothing that the training wrote, and works while the
run is being trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnstudio.core.files import FileError, exists, read_json, write_json
from cnnstudio.core.formatting import clean_line, clean_text
from cnnstudio.core.locking import changing
from cnnstudio.runs.archive.opened import require_changeable
from cnnstudio.runs.errors import RunError

LABEL_FILE, LABEL_LOCK = "label.json", "label.lock"
FORMAT = "cnnstudio.run-label"
VERSION = 1

MAX_TITLE, MAX_TAGS, MAX_TAG, MAX_NOTE = 100, 20, 40, 4_000
"""Characters; MAX_TAGS is the number of tags."""
MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class RunLabel:
    """What the user calls a run. Texts that are too long or not printable are shortened and cleaned."""

    title: str = ""
    """Shown in place of the network's name; empty for none."""
    tags: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", clean_line(self.title).strip()[:MAX_TITLE])
        object.__setattr__(self, "tags", _clean_tags(self.tags))
        object.__setattr__(self, "note", clean_text(self.note).strip()[:MAX_NOTE])


def _clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, without commas, which separate them where they are typed."""
    cleaned = (clean_line(tag.replace(",", " ")).strip()[:MAX_TAG] for tag in tags)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MAX_TAGS]


NO_LABEL = RunLabel()


def parse_tags(text: str) -> tuple[str, ...]:
    """The tags in a text such as `baseline, to keep`."""
    return _clean_tags(text.split(","))


def read_label(folder: Path) -> RunLabel:
    """The label of the run in that folder; an empty one if there is none or it is damaged.

    A damaged label is no reason to hide a run.
    """
    path = folder / LABEL_FILE
    if not exists(path):
        return NO_LABEL
    with contextlib.suppress(FileError):
        return _from_json(read_json(path, MAX_BYTES))
    return NO_LABEL


def _from_json(content: Any) -> RunLabel:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return NO_LABEL
    title, tags, note = content.get("title"), content.get("tags"), content.get("note")
    return RunLabel(
        title if isinstance(title, str) else "",
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        note if isinstance(note, str) else "",
    )


def change_label(folder: Path, **changes: Any) -> RunLabel:
    """Changes the given fields of a run's RunLabel, and keeps what other programs have made of the others.

    Returns the label that the run has then; an empty one removes the file. Raises RunError.
    """
    require_changeable(folder, "labeled")
    path = folder / LABEL_FILE
    try:
        if not folder.is_dir():
            raise RunError(f"There is no run in {folder}.")
        with changing(path):
            label = replace(read_label(folder), **changes)
            _write(path, label)
    except FileError as error:
        raise RunError(str(error)) from None
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}.") from None
    return label


def _write(path: Path, label: RunLabel) -> None:
    if label == NO_LABEL:
        path.unlink(missing_ok=True)
        return
    content = {"title": label.title, "tags": list(label.tags), "note": label.note}
    write_json(path, {"format": FORMAT, "version": VERSION, **content})
