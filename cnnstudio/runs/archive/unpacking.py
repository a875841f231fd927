"""Opens a run in a zip file, which may come from anyone.

Only the files that a run has are unpacked, each up to its own limit, into a folder that is named after the
zip file's content. Names that lead elsewhere, links, encrypted files and a size that is out of proportion
are refused before anything is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn

from cnnstudio.core.files import exists, open_regular
from cnnstudio.core.formatting import clean_line
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, never_cancelled, raise_if_cancelled
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.core.zip_files import directory_size, harm_of
from cnnstudio.runs.archive.members import (
    FREE_BYTES,
    MAX_ARCHIVE_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    size_limit,
)
from cnnstudio.runs.archive.opened import opened_folder
from cnnstudio.runs.errors import RunError

SUFFIX = ".zip"
_RUN_FILE = "run.json"
_COPY_BYTES = 2**20
_MAX_DIRECTORY_BYTES = 16 * 2**20
"""Of the list of the zip file's members, which is read as a whole."""
_MAX_KEPT = 20
"""Opened zip files whose runs stay unpacked; those that were opened longest ago go first."""


def is_archive(path: Path) -> bool:
    """Whether the path is that of a zip file, by its name."""
    return path.suffix.lower() == SUFFIX and os.path.isfile(path)


def open_archive(path: Path, cancelled: CancelFunction = never_cancelled) -> Path:
    """The folder of the run in the zip file, unpacked unless it is already. Raises RunError or Cancelled."""
    try:
        with open_regular(path, MAX_ARCHIVE_BYTES) as file:
            key = _digest(file, cancelled)
            known = _run_inside(opened_folder() / key)
            if known is not None:
                os.utime(known.parent)
                return known
            return _unpack(path, file, key, cancelled)
    except FileNotFoundError:
        raise RunError(f"There is no file {path}.") from None
    except OSError as error:
        raise RunError(f"Cannot open the run in {path}: {error.strerror or error}.") from None


def _digest(file: BinaryIO, cancelled: CancelFunction) -> str:
    """The name of the folder for a zip file with this content. Raises OSError or Cancelled."""
    digest = hashlib.sha256()
    while block := file.read(_COPY_BYTES):
        raise_if_cancelled(cancelled)
        digest.update(block)
    return digest.hexdigest()[:32]


def _run_inside(folder: Path) -> Path | None:
    """The only folder inside, if it has a run."""
    with contextlib.suppress(OSError):
        for inside in folder.iterdir():
            if exists(inside / _RUN_FILE):
                return inside
    return None


def _unpack(path: Path, file: BinaryIO, key: str, cancelled: CancelFunction) -> Path:
    """Raises RunError, OSError or Cancelled."""
    _require_bounded_directory(path, file)
    try:
        with zipfile.ZipFile(file) as archive:
            root, members = _checked_members(path, archive, os.fstat(file.fileno()).st_size)
            name = clean_line(root).strip(". ") or clean_line(path.stem).strip(". ") or "run"
            with temporary_folder(opened_folder(), "open") as folder:
                target = folder / key / name
                for inside, member in members.items():
                    raise_if_cancelled(cancelled)
                    _extract(path, archive, member, target / inside)
                # Another process may have unpacked the same file meanwhile.
                with contextlib.suppress(OSError):
                    os.replace(folder / key, opened_folder() / key)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, ValueError):
        raise RunError(f"{path} is not a zip file of a run, or it is damaged.") from None
    _remove_oldest()
    return opened_folder() / key / name


def _require_bounded_directory(path: Path, file: BinaryIO) -> None:
    """Raises RunError for a zip file whose list of members would take much memory to read."""
    found = directory_size(file)
    if found is None:
        raise RunError(f"{path} is not a zip file of a run, or it is damaged.")
    size, is_zip64 = found
    if is_zip64 or size > _MAX_DIRECTORY_BYTES:
        _refuse(path, "it has more files than a run")


def _checked_members(
    path: Path, archive: zipfile.ZipFile, size: int
) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The name of the folder in the zip file, empty for none, and the run's files by their paths in it."""
    entries = archive.infolist()
    if len(entries) > MAX_MEMBERS:
        _refuse(path, "it has more files than a run")
    roots = [entry.filename.removesuffix(_RUN_FILE) for entry in entries if _is_run_file(entry.filename)]
    for entry in entries:
        if harm := harm_of(entry):
            _refuse(path, harm)
    if len(roots) != 1:
        raise RunError(f"{path} does not contain a run: there is no {_RUN_FILE} in it.")
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        inside = entry.filename.removeprefix(roots[0]) if entry.filename.startswith(roots[0]) else ""
        limit = size_limit(inside)
        if limit is None:
            # Such as what a file manager adds.
            continue
        if inside in members:
            _refuse(path, f"it contains {inside} twice")
        if entry.file_size > limit:
            _refuse(path, f"its {inside} is too large")
        members[inside] = entry
    total = sum(entry.file_size for entry in members.values())
    if total > MAX_ARCHIVE_BYTES or (total > FREE_BYTES and total > MAX_RATIO * size):
        _refuse(path, "it unpacks to far more than a run")
    return roots[0].rstrip("/"), members


def _is_run_file(name: str) -> bool:
    """Whether it is `run.json` at the top or in one folder."""
    return name == _RUN_FILE or (name.count("/") == 1 and name.endswith(f"/{_RUN_FILE}"))


def _extract(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with archive.open(member) as source, open(target, "xb") as file:
        while block := source.read(_COPY_BYTES):
            left -= len(block)
            if left < 0:
                _refuse(path, f"its {shorten(member.filename, 100)} is larger than it says")
            file.write(block)
    if os.name != "nt":
        # Windows does not delete read-only files.
        target.chmod(0o444)


def _remove_oldest() -> None:
    with contextlib.suppress(OSError):
        with os.scandir(opened_folder()) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        for entry in sorted(found, key=lambda each: each.stat().st_mtime)[:-_MAX_KEPT]:
            shutil.rmtree(entry.path, ignore_errors=True)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise RunError(f"{path} cannot be opened as a run: {reason}.")
