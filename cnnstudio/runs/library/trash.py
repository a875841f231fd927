"""The system's trash: moves files there, says why it cannot, and brings them back.

The library that moves files there says neither where they are then nor, in the same way on each system, what
went wrong.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class TrashProblem(Enum):
    """Why something cannot be moved to the trash; the values continue "… cannot be moved to the trash: "."""

    NO_TRASH = "there is no trash that you can use on its drive"
    NOT_PERMITTED = "you do not have permission to change its folder"
    READ_ONLY = "its drive is read-only"
    IN_USE = "another program is using its files"
    FULL = "there is not enough space in the trash"
    OTHER = "the system refuses"


_BY_ERRNO = {
    "EACCES": TrashProblem.NOT_PERMITTED,
    "EPERM": TrashProblem.NOT_PERMITTED,
    "EROFS": TrashProblem.READ_ONLY,
    "EBUSY": TrashProblem.IN_USE,
    "ETXTBSY": TrashProblem.IN_USE,
    "ENOSPC": TrashProblem.FULL,
    "EDQUOT": TrashProblem.FULL,
    "ENOTSUP": TrashProblem.NO_TRASH,
}
"""By name, because not every system has all of them."""
# Of Windows: access denied, write protected, sharing violation, lock violation, disk full (two codes).
_BY_WINERROR = {
    5: TrashProblem.NOT_PERMITTED,
    19: TrashProblem.READ_ONLY,
    32: TrashProblem.IN_USE,
    33: TrashProblem.IN_USE,
    39: TrashProblem.FULL,
    112: TrashProblem.FULL,
}
# GLib's GIOErrorEnum, which the library keeps as the cause of an error without a number.
_BY_GIO_CODE = {
    12: TrashProblem.FULL,
    14: TrashProblem.NOT_PERMITTED,
    15: TrashProblem.NO_TRASH,
    21: TrashProblem.READ_ONLY,
    26: TrashProblem.IN_USE,
}


@dataclass(frozen=True)
class Trashed:
    """Something in the trash, and where it was."""

    original: Path
    place: Path
    info: Path | None
    """The file in which the trash keeps where it was, if it has one."""


class TrashFailure(Exception):
    """Something was not moved to the trash."""

    def __init__(self, problem: TrashProblem, reason: str) -> None:
        """`reason` continues "… cannot be moved to the trash: "."""
        super().__init__(reason)
        self.problem = problem


def move_to_trash(path: Path) -> Trashed | None:
    """Moves a file or folder to the system's trash; None if it cannot be found there again.

    Raises TrashFailure.
    """
    with contextlib.suppress(OSError):
        found = os.lstat(path)
    try:
        _send(path)
    except Exception as error:
        # The library raises whatever the system's own functions do, on each system something else.
        raise _failure(error, path) from None
    with contextlib.suppress(OSError, UnboundLocalError):
        return _find(path, (found.st_dev, found.st_ino))
    return None


def restore(trashed: Trashed) -> None:
    """Moves it back to where it was. Raises OSError, also if there is something else by now."""
    if os.path.lexists(trashed.original):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(trashed.original))
    os.rename(trashed.place, trashed.original)
    if trashed.info is not None:
        with contextlib.suppress(OSError):
            trashed.info.unlink()


def _send(path: Path) -> None:
    from send2trash import send2trash

    send2trash(os.fspath(path))


def _failure(error: Exception, path: Path) -> TrashFailure:
    problem = _problem_of(error, path)
    known = isinstance(error, OSError) and error.strerror and not isinstance(error.strerror, bytes)
    if problem is TrashProblem.OTHER and known:
        assert isinstance(error, OSError)
        return TrashFailure(problem, str(error.strerror))
    return TrashFailure(problem, problem.value)


def _problem_of(error: Exception, path: Path) -> TrashProblem:
    from send2trash import TrashPermissionError

    if isinstance(error, TrashPermissionError):
        return TrashProblem.NO_TRASH
    if not isinstance(error, OSError):
        return TrashProblem.OTHER
    found = _BY_WINERROR.get(getattr(error, "winerror", None) or 0) or _BY_ERRNO.get(
        errno.errorcode.get(error.errno or 0, "")
    )
    if found is TrashProblem.NOT_PERMITTED and _is_elsewhere(error, path):
        # It is the trash itself that cannot be written.
        return TrashProblem.NO_TRASH
    if found is None and error.errno is None:
        code = getattr(error.__cause__, "code", None)
        found = _BY_GIO_CODE.get(code) if isinstance(code, int) else None
        if found is None and "mount point" in str(error):
            return TrashProblem.NO_TRASH
    return found or TrashProblem.OTHER


def _is_elsewhere(error: OSError, path: Path) -> bool:
    """Whether the error is about a single file that is not below `path`."""
    if not isinstance(error.filename, str | bytes) or error.filename2 is not None:
        return False
    about = Path(os.fsdecode(error.filename))
    return about.is_absolute() and not about.is_relative_to(path)


# Where it is


def _find(path: Path, identity: tuple[int, int]) -> Trashed | None:
    """What was moved keeps its number on its drive, but may have got another name."""
    for folder in _trash_folders(path):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.inode() == identity[1] and os.lstat(entry.path).st_dev == identity[0]:
                    info = folder.parent / "info" / f"{entry.name}.trashinfo"
                    return Trashed(path, Path(entry.path), info if info.exists() else None)
    return None


def _trash_folders(path: Path) -> Iterator[Path]:
    """The folders in which it may be: see the Trash Specification of freedesktop.org.

    None on Windows, whose recycle bin gives things other names and has no documented files.
    """
    if sys.platform == "win32":
        return
    mount = path.parent.resolve()
    while not os.path.ismount(mount):
        mount = mount.parent
    if sys.platform == "darwin":
        yield Path.home() / ".Trash"
        yield mount / ".Trashes" / str(os.getuid())
        return
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    yield Path(data).expanduser() / "Trash" / "files"
    yield mount / ".Trash" / str(os.getuid()) / "files"
    yield mount / f".Trash-{os.getuid()}" / "files"
