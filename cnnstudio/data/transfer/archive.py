"""Extracts given members of a .tar.gz, safely even if the archive is malicious."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO, cast

from cnnstudio.core.files import open_regular
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.data.dataset import DataError

_MAX_MEMBERS = 10_000


def extract_members(
    archive: Path,
    members: Mapping[str, str],
    folder: Path,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    max_bytes: int = 400_000_000,
) -> None:
    """Creates `folder` with the given members of the archive (name in it -> MD5), without their subfolders.

    The archive is read as a stream and only the expected members are written, under the last part of the
    expected name, so that no path in the archive can make a file land elsewhere. The members are unpacked
    into a temporary folder, which replaces `folder` when all checksums are right. Raises DataError if the
    archive is damaged, lacks a member, contains a path outside it or unpacks to more than `max_bytes`;
    Cancelled.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary_folder(folder.parent, "archive") as temporary:
            unpacked = temporary / folder.name
            unpacked.mkdir()
            _write_members(archive, members, unpacked, throttled(progress), cancelled, max_bytes)
            if folder.exists():
                shutil.rmtree(folder)
            unpacked.rename(folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is damaged or incomplete: download it again.") from error
    except OSError as error:
        raise DataError(f"Cannot unpack {archive} into {folder}: {error.strerror or error}.") from error


def _write_members(
    archive: Path,
    members: Mapping[str, str],
    folder: Path,
    progress: ProgressFunction,
    cancelled: CancelFunction,
    max_bytes: int,
) -> None:
    written: set[str] = set()
    with open_regular(archive, None) as file:
        watched = _Watched(file, f"Unpacking {archive.name}", progress, cancelled)
        # A stream is only read from, and `read` is all that it needs for that.
        with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r|gz") as stream:
            for number, member in enumerate(stream):
                raise_if_cancelled(cancelled)
                # Before anything of the member is unpacked.
                if member.offset_data + member.size > max_bytes or number >= _MAX_MEMBERS:
                    raise DataError(
                        f"{archive} unpacks to more than {max_bytes // 1_000_000:,} MB or "
                        f"{_MAX_MEMBERS:,} files: use the original archive."
                    )
                _refuse_outside_path(archive, member.name)
                if member.name in members:
                    _write_member(archive, stream, member, members[member.name], folder, cancelled)
                    written.add(member.name)
    if missing := sorted(set(members) - written):
        raise DataError(
            f"{archive} does not contain {missing[0]}: it is another archive, or it is incomplete."
        )


def _write_member(
    archive: Path,
    stream: tarfile.TarFile,
    member: tarfile.TarInfo,
    md5: str,
    folder: Path,
    cancelled: CancelFunction,
) -> None:
    source = stream.extractfile(member) if member.isreg() else None
    if source is None:
        raise DataError(
            f"{archive} contains {member.name} as a link, not as a file: use the original archive."
        )
    if _copy(source, folder / PurePosixPath(member.name).name, cancelled) != md5:
        raise DataError(
            f"{member.name} in {archive} is damaged (wrong checksum): download the archive again."
        )


class _Watched:
    """An archive that says how far it is read, and stops: members that are skipped can be gigabytes."""

    def __init__(
        self, file: BinaryIO, text: str, progress: ProgressFunction, cancelled: CancelFunction
    ) -> None:
        self._file, self._text, self._progress, self._cancelled = file, text, progress, cancelled
        self._size = os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        raise_if_cancelled(self._cancelled)
        self._progress(Progress(self._file.tell(), self._size, self._text))
        return self._file.read(size)


def _copy(source: IO[bytes], path: Path, cancelled: CancelFunction) -> str:
    """Writes the member to `path` and returns its MD5 (hex)."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "wb") as file:
        while block := source.read(1 << 20):
            raise_if_cancelled(cancelled)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _refuse_outside_path(archive: Path, name: str) -> None:
    """Raises DataError for any path that leaves the archive, on any system.

    Such a member would not be written anyway; but an archive that contains one is not what it claims to be.
    """
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts:
            raise DataError(
                f"{archive} tries to write outside its folder ({name}): use the original archive."
            )
