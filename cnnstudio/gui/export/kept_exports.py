"""Remembers what was exported and how it compared with the original, also after the program was closed.

One file for a run, beside the runs. It says nothing by itself: an export is only called verified while its
files have the content that was compared, and the run the weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, keep_json, open_regular, read_json
from cnnstudio.core.locking import changing
from cnnstudio.core.paths import home

_FORMAT, _VERSION = "cnnstudio.exports", 1
_MAX_BYTES = 2**20
_BLOCK_BYTES = 2**20
_MAX_RUNS = 200
"""Files; the oldest ones go."""
_MAX_EXPORTS = 30
"""Of a run: formats in folders."""


@dataclass(frozen=True)
class KeptExport:
    """One format, as it was exported into a folder."""

    format: str
    folder: Path
    weights: int
    """The state of the run's weights, as `outcomes.weights_state` gives it."""
    digests: tuple[str, ...]
    """The SHA-256 of each file, in the order of `files`."""
    difference: float | None
    """The largest of any logit; None if nothing was compared."""
    images: int
    """How many were compared."""
    message: str
    notes: tuple[str, ...]
    files: tuple[str, ...] = ()
    """The names of the files; empty if an earlier version wrote those that the exporter always writes."""


def keep_export(run: Path, export: KeptExport) -> None:
    """Keeps it in place of an earlier one of that format in that folder.

    A home that cannot be written is no error: the export then counts as not verified after a restart.
    """
    place = export.format, export.folder
    with suppress(FileError), changing(_path(run)):
        others = [each for each in read_exports(run) if (each.format, each.folder) != place]
        exports = [_to_json(each) for each in (*others, export)[-_MAX_EXPORTS:]]
        content = {"format": _FORMAT, "version": _VERSION, "run": str(run), "exports": exports}
        keep_json(_path(run), content, _MAX_RUNS)


def read_exports(run: Path) -> tuple[KeptExport, ...]:
    """What was exported of the run in that folder, the latest last; nothing if it cannot be read."""
    with suppress(OSError, UserError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        content: Any = read_json(_path(run), _MAX_BYTES)
        if (content["format"], content["version"], content["run"]) == (_FORMAT, _VERSION, str(run)):
            return tuple(map(_from_json, content["exports"][-_MAX_EXPORTS:]))
    return ()


def digests_of(folder: Path, files: Iterable[str]) -> tuple[str, ...] | None:
    """The SHA-256 of each of the files; None if one of them cannot be read."""
    with suppress(OSError, ValueError):
        return tuple(_digest(folder / name) for name in files)
    return None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path, None) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _to_json(export: KeptExport) -> dict[str, Any]:
    return {
        "exporter": export.format,
        "folder": str(export.folder),
        "weights": export.weights,
        "files": list(export.files),
        "digests": list(export.digests),
        "largest_difference": export.difference,
        "images": export.images,
        "message": export.message,
        "notes": list(export.notes),
    }


def _from_json(each: Any) -> KeptExport:
    difference = each["largest_difference"]
    return KeptExport(
        str(each["exporter"]),
        Path(str(each["folder"])),
        int(each["weights"]),
        tuple(map(str, each["digests"])),
        None if difference is None else float(difference),
        int(each["images"]),
        str(each["message"]),
        tuple(map(str, each["notes"])),
        tuple(map(str, each.get("files", ()))),
    )


def _path(run: Path) -> Path:
    # Names of files may have bytes that are no text.
    name = hashlib.sha256(str(run).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return home() / "exports" / f"{name}.json"
