"""Temporary folders beside the user's files, and the removal of those that killed processes left behind.

A folder `.cnnstudio-<purpose>-<16 hex digits>` contains a lock file, which its process holds, and the folder
`files`. A process that makes another one there removes those whose lock nobody holds: the system releases a
lock when its process ends, however it ends. What has another name, or no lock file, is not ours and stays; so
does everything where the drive does not support locks.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnstudio.core.files import open_regular
from cnnstudio.core.locking import FileLock
from cnnstudio.core.system_lock import lock_file

_LOCK, _FILES = "lock", "files"
_DISCARD_SECONDS = 2.0

# Mutable and global on purpose: `discard_temporary_folders` is called when the process is about to end.
_open: dict[Path, bool] = {}
"""The temporary folders of this process, and whether the folder that contains each was new."""


@contextmanager
def temporary_folder(parent: Path, purpose: str) -> Iterator[Path]:
    """An empty folder inside `parent`, deleted afterwards. Raises OSError.

    Inside `parent`, so that moving files out of it is a rename on the same file system. `parent` is created
    if it is missing, and then removed again if nothing is moved there.
    """
    is_new = not os.path.exists(parent)
    parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned_folders(parent, purpose)
    folder, lock = _claim(parent, purpose)
    _open[folder] = is_new
    try:
        (folder / _FILES).mkdir()
        yield folder / _FILES
    finally:
        # The contents before the lock file, without which nobody would know whose the rest is.
        shutil.rmtree(folder / _FILES, ignore_errors=True)
        lock.__exit__(None, None, None)
        _remove(folder, is_new)
        _open.pop(folder, None)


def discard_temporary_folders() -> None:
    """Deletes this process's temporary folders: it is about to end without waiting for its threads."""
    for folder, is_new in tuple(_open.items()):
        deadline = time.monotonic() + _DISCARD_SECONDS
        # Again, because the thread may have written another file while the folder was being emptied.
        while folder.exists() and time.monotonic() < deadline:
            _remove(folder, is_new)


def remove_abandoned_folders(parent: Path, purpose: str) -> None:
    """Deletes the temporary folders in `parent` whose processes have ended."""
    name = re.compile(rf"{re.escape(_prefix(purpose))}[0-9a-f]{{16}}")
    with suppress(OSError):
        with os.scandir(parent) as entries:
            found = [
                Path(entry) for entry in entries if name.fullmatch(entry.name) and not entry.is_symlink()
            ]
        for folder in found:
            with suppress(OSError):
                _remove_if_abandoned(folder)


def _prefix(purpose: str) -> str:
    return f".cnnstudio-{purpose}-"


def _claim(parent: Path, purpose: str) -> tuple[Path, FileLock]:
    """A new folder, and its lock, held. Raises OSError."""
    while True:
        folder = parent / f"{_prefix(purpose)}{secrets.token_hex(8)}"
        folder.mkdir()
        lock = FileLock(folder / _LOCK)
        # Until it is locked, another process may take it for abandoned and remove it: then make a new one.
        try:
            lock.__enter__()
        except (FileNotFoundError, BlockingIOError):
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if lock.is_in_place:
            return folder, lock
        lock.__exit__(None, None, None)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        file = open_regular(folder / _LOCK, None)
    except FileNotFoundError:
        # Its process was killed before it could lock it, or is about to, and will then make another one.
        folder.rmdir()
        return
    with file:
        # Raises BlockingIOError while its process is alive.
        if not lock_file(file):
            return
        shutil.rmtree(folder / _FILES, ignore_errors=True)
        if os.name != "nt":
            _remove(folder)
    if os.name == "nt":
        # Windows does not delete open files.
        _remove(folder)


def _remove(folder: Path, is_new: bool = False) -> None:
    """Deletes a temporary folder, and the one that contains it if that was new and is still empty."""
    shutil.rmtree(folder / _FILES, ignore_errors=True)
    if not os.path.exists(folder / _FILES):
        shutil.rmtree(folder, ignore_errors=True)
    if is_new:
        with suppress(OSError):
            folder.parent.rmdir()
