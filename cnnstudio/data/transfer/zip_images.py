"""Unpacks the images and tables of a zip file, which may come from anyone.

Everything that can be known from the zip file's list of members is checked before anything is written: paths
that lead elsewhere, links and devices, passwords, and sizes that are out of proportion.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn

from cnnstudio.core.files import open_regular
from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.core.zip_files import directory_size, harm_of, has_more_members
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.folder_scan import is_ignored, is_image_name
from cnnstudio.data.storage.free_space import require_space
from cnnstudio.data.tables.label_table import is_table_name

MAX_MEMBERS = 1_000_000
MAX_RATIO = 50
"""How many times its size a zip file may unpack to: images are compressed already."""
_FREE_BYTES = 2**28
"""A zip file that unpacks to less is not asked for its ratio: some images are one color."""
_MAX_DIRECTORY_BYTES = 2**28
_COPY_BYTES = 2**20

Members = list[zipfile.ZipInfo]


def unpack_images(path: Path, folder: Path, progress: ProgressFunction, cancelled: CancelFunction) -> None:
    """Writes the images and tables into `folder`, which exists. Raises DataError or Cancelled.

    If it raises, `folder` may have some of the files.
    """
    try:
        with open_regular(path, None) as file:
            _require_bounded_directory(path, file)
            with zipfile.ZipFile(file) as archive:
                members = _wanted(path, archive.infolist(), os.fstat(file.fileno()).st_size)
                require_space(folder, sum(member.file_size for member in members), f"Unpacking {path}")
                _write(path, archive, members, folder, throttled(progress), cancelled)
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, ValueError):
        raise DataError(f"{path} is not a zip file, or it is damaged.") from None
    except OSError as error:
        raise DataError(f"Cannot unpack {path}: {error.strerror or error}.") from None


def content_key(path: Path) -> str:
    """A hash (hex) that is equal for zip files with the same list of members. Raises DataError."""
    try:
        with open_regular(path, None) as file:
            _require_bounded_directory(path, file)
            with zipfile.ZipFile(file) as archive:
                known = [(each.filename, each.CRC, each.file_size) for each in archive.infolist()]
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError, ValueError):
        raise DataError(f"{path} is not a zip file, or it is damaged.") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None
    return hashlib.sha256(repr(known).encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _require_bounded_directory(path: Path, file: BinaryIO) -> None:
    """Raises DataError for a zip file whose list of members would take much memory to read."""
    found = directory_size(file)
    if found is None:
        raise DataError(f"{path} is not a zip file, or it is damaged.")
    if found[0] > _MAX_DIRECTORY_BYTES or has_more_members(file, MAX_MEMBERS):
        _refuse(path, f"it has more than {MAX_MEMBERS:,} files")


def _wanted(path: Path, entries: Members, size: int) -> Members:
    """The images and tables. Raises DataError if anything in the zip file is harmful."""
    if len(entries) > MAX_MEMBERS:
        _refuse(path, f"it has more than {MAX_MEMBERS:,} files")
    for entry in entries:
        if harm := harm_of(entry):
            _refuse(path, harm)
    wanted = [entry for entry in entries if _is_wanted(entry)]
    if not wanted:
        _refuse(path, "it has no images")
    names = {os.path.normcase(entry.filename) for entry in wanted}
    if len(names) < len(wanted):
        _refuse(path, "it has two files of the same name")
    total = sum(entry.file_size for entry in wanted)
    if total > _FREE_BYTES and total > MAX_RATIO * size:
        _refuse(path, f"its {format_bytes(size)} unpack to {format_bytes(total)}, far more than images do")
    return wanted


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    parts = entry.filename.split("/")
    is_visible = not entry.is_dir() and not any(is_ignored(part) for part in parts)
    return is_visible and (is_image_name(parts[-1]) or is_table_name(parts[-1]))


def _write(
    path: Path,
    archive: zipfile.ZipFile,
    members: Members,
    folder: Path,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    total = len(members)
    for number, member in enumerate(members, start=1):
        target, left = folder / member.filename, member.file_size
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, open(target, "xb") as file:
            while block := source.read(_COPY_BYTES):
                raise_if_cancelled(cancelled)
                left -= len(block)
                if left < 0:
                    _refuse(path, f"“{shorten(member.filename, 100)}” is larger than it says")
                file.write(block)
        progress(Progress(number, total, f"Unpacking {path.name}: {number:,} of {total:,} files"))


def _refuse(path: Path, reason: str) -> NoReturn:
    raise DataError(f"{path} cannot be used: {reason}.")
