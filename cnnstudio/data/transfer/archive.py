"""Chosen files out of a .tar.gz, by name and nothing else."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.dataset import DataError


def extract(
    archive: Path,
    members: Mapping[str, str],
    folder: Path,
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
) -> None:
    """Make `folder`, with `members` of the archive (name in it -> MD5) as files of the names' last parts.

    The archive is read as a stream and only those members are written, under names of our own making; so
    nothing can land elsewhere whatever the archive says. `folder` appears whole or not at all, and takes an
    old one's place. Raises DataError for an archive that is damaged, lacks a member or tries to write
    outside; Cancelled.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
            fresh = Path(beside) / folder.name
            fresh.mkdir()
            _write_members(archive, members, fresh, throttled(progress), cancelled)
            if folder.exists():
                shutil.rmtree(folder)
            fresh.rename(folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is damaged or not complete: get the archive again.") from error
    except OSError as error:
        raise DataError(f"Cannot unpack {archive} into {folder}: {error.strerror or error}.") from error


def _write_members(
    archive: Path, members: Mapping[str, str], folder: Path, tell: ProgressFunction, cancelled: CancelFunction
) -> None:
    written: set[str] = set()
    with tarfile.open(archive, mode="r|gz") as stream:
        for member in stream:
            check(cancelled)
            _refuse_escape(archive, member.name)
            if member.name not in members:
                continue
            source = stream.extractfile(member) if member.isreg() else None
            if source is None:
                raise DataError(
                    f"{archive} holds {member.name} as a link, not as a file: it is not the original archive."
                )
            text = f"Unpacking {archive.name}: {len(written)} of {len(members)} files"
            tell(Progress(len(written), len(members), text))
            if _copy(source, folder / PurePosixPath(member.name).name, cancelled) != members[member.name]:
                raise DataError(
                    f"{member.name} in {archive} is damaged (its checksum is wrong): get the archive again."
                )
            written.add(member.name)
    if missing := sorted(set(members) - written):
        raise DataError(
            f"{archive} does not hold {missing[0]}: it is not the archive that is needed, or not whole."
        )


def _copy(source: IO[bytes], path: Path, cancelled: CancelFunction) -> str:
    """Write the member to `path`; its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "wb") as file:
        while block := source.read(1 << 20):
            check(cancelled)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _refuse_escape(archive: Path, name: str) -> None:
    """No honest archive of images names a place outside itself, so the whole of it is refused."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts:
            raise DataError(
                f"{archive} wants to write outside its folder ({name}): use the original archive."
            )
