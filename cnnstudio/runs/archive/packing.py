"""Packs a run into one zip file."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cnnstudio.core.files import FileError, atomic_writer, exists, open_regular
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.runs.archive.members import FOLDERS, MAX_ARCHIVE_BYTES, MAX_MEMBERS, size_limit, top_names
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

_COPY_BYTES = 2**20
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The same run gives the same zip file."""


def pack_run(
    run: Run,
    path: Path,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> None:
    """Writes the run's own files into a new zip file at `path`; other files in its folder are left out.

    Raises RunError for a run in progress and for one that is too large, FileError if it cannot be written,
    and Cancelled. `path` then has what it had before.
    """
    if run.status == "running":
        raise RunError(f"The run {run.id} is in progress: stop it before you pack it.")
    names = list(_names(run.folder))
    if len(names) > MAX_MEMBERS or sum(_size(run.folder / name) for name in names) > MAX_ARCHIVE_BYTES:
        raise RunError(f"The run {run.id} is too large for a zip file: it has more than 4 GB.")
    try:
        with atomic_writer(path) as target, zipfile.ZipFile(target, "w", allowZip64=False) as archive:
            for number, name in enumerate(names):
                raise_if_cancelled(cancelled)
                progress(Progress(number, len(names), f"Packing {name}"))
                _add(archive, run, name)
    except zipfile.LargeZipFile:
        raise RunError(f"The run {run.id} is too large for a zip file: it has more than 4 GB.") from None
    except FileError:
        raise
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be packed: {error.strerror or error}.") from None


def _names(folder: Path) -> Iterator[str]:
    """The run's own files, as paths with slashes below its folder."""
    yield from (name for name in top_names() if exists(folder / name))
    for inside in FOLDERS:
        if not exists(folder / inside):
            continue
        for name in sorted(os.listdir(folder / inside)):
            path = f"{inside}/{name}"
            if size_limit(path) is not None and not (folder / path).is_symlink():
                yield path


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _add(archive: zipfile.ZipFile, run: Run, name: str) -> None:
    # In a folder, so that unpacking the file by hand gives the run's folder.
    member = zipfile.ZipInfo(f"{_folder_name(run)}/{name}", _FIXED_TIME)
    is_text = name.endswith((".json", ".jsonl"))
    # Weights and maps hardly get smaller.
    member.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
    member.external_attr = 0o644 << 16
    with open_regular(run.folder / name, size_limit(name)) as source, archive.open(member, "w") as target:
        shutil.copyfileobj(source, target, _COPY_BYTES)


def _folder_name(run: Run) -> str:
    """The run's id, as far as a zip file can name it."""
    return run.id.encode("utf-8", "replace").decode().replace("/", "-").replace("\\", "-")
