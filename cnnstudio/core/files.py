"""Safe reading and atomic writing. Every file of any origin is opened for reading here, by `open_regular`.

**Reading.** A path may lead to anything: a pipe that nobody writes to, a device without an end, or a file of
many gigabytes. Only regular files of at most a stated size are opened, so that no reader blocks or takes all
memory.

**Writing.** A temporary file beside the target is written, synced to disk, then renamed over it. The order
matters. Without the fsync before the rename, a power failure can leave the new name without the new data;
without the fsync of the folder afterwards, the rename itself may be lost. The temporary file is in the same
folder because a rename is atomic only within one file system.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from cnnstudio.core.errors import UserError
from cnnstudio.core.system_lock import lock_file

_BLOCK_BYTES = 2**20
MAX_JSON_BYTES = 8 * 2**20
"""The largest JSON file that is read: the program's own have a few kilobytes, at most a megabyte."""


class FileError(UserError):
    """A file that cannot be read or written."""

    def __init__(self, cause: str, remedy: str = "", *, is_full: bool = False) -> None:
        super().__init__(f"{cause} {remedy}".rstrip())
        self.cause = cause
        """What is wrong, without what would be right: for where something else would be."""
        self.is_full = is_full
        """Whether there is no space left on the drive."""


def exists(path: Path) -> bool:
    """Whether the file or folder exists; False for a path that the system rejects, such as one too long.

    `Path.exists` raises for those, in the versions of Python that are supported.
    """
    return os.path.exists(path)


def is_folder(path: Path) -> bool:
    """Whether the folder exists; False for a path that the system rejects."""
    return os.path.isdir(path)


def expand_home(path: str | Path) -> Path:
    """The path with a leading ~ replaced by the user's home folder; unchanged for an unknown `~user`.

    `Path.expanduser` raises for an unknown user.
    """
    return Path(os.path.expanduser(path))


@contextlib.contextmanager
def atomic_writer(
    path: Path, *, durable: bool = True, instead: Callable[[], Path | None] = lambda: None
) -> Iterator[BinaryIO]:
    """A new file to write into, which replaces `path` if the block ends without an error.

    Missing folders are created. Whatever goes wrong, including a process killed in the middle of a write,
    `path` has either its old content or the complete new content. Raises FileError if the system refuses.
    Without `durable` nothing is synced, so that after a power failure the file may be damaged.
    `instead` is asked at the end, and may name another file in the same folder that is replaced in its place.
    """
    try:
        # For a symbolic link, replace the file that it points to, not the link.
        target = Path(_real_path(path))
        # The new file would take the place of the pipe or device, such as /dev/null.
        if os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_files(target.parent, target.name)
        temporary, file = _open_temporary(target)
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                target = instead() or target
                # While it is locked, so that no other process takes it for abandoned.
                if os.name != "nt":
                    os.replace(temporary, target)
            if os.name == "nt":
                # Windows does not rename open files.
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if durable:
            fsync_folder(target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> FileError:
    """Why the system refuses to write the file, and what helps."""
    is_full = is_disk_full(error)
    remedy = "Free some space, or choose another location" if is_full else "Choose a writable location"
    return FileError(f"Cannot write {path}: {_reason(error)}.", f"{remedy}.", is_full=is_full)


def is_disk_full(error: Exception) -> bool:
    """Whether the reason of an error is that no space is left on the drive, or of the user's share of it."""
    if isinstance(error, FileError):
        return error.is_full
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))


def _real_path(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except ValueError as error:
        raise _no_such_name(path) from error


def _open_temporary(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside the target, open for writing and locked, where the drive supports locks."""
    while True:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115  # closed by the caller
        try:
            lock_file(file)
        except BlockingIOError:
            is_ours = False
        except OSError:
            # Without a lock it can be written as well, and nobody else can lock and delete it.
            is_ours = True
        else:
            is_ours = os.path.exists(temporary)
        if is_ours:
            return temporary, file
        # Another process took it for abandoned before it was locked, and deletes it: make a new one.
        file.close()


def remove_abandoned_files(folder: Path, name: str | None = None) -> None:
    """Deletes the temporary files of that name, or of any, in the folder that killed processes left.

    A process holds a lock on its temporary file, which the system releases when it ends. Where locks are not
    supported, nothing is deleted.
    """
    pattern = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{8}}\.tmp", re.DOTALL)
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [Path(entry) for entry in entries if pattern.fullmatch(entry.name)]
        for path in found:
            with contextlib.suppress(OSError):
                _delete_if_abandoned(path)


def _delete_if_abandoned(path: Path) -> None:
    if path.is_symlink():
        return
    with open_regular(path, None) as file:
        # Raises BlockingIOError while its process is alive.
        is_abandoned = lock_file(file)
        if is_abandoned and os.name != "nt":
            path.unlink()
    if is_abandoned and os.name == "nt":
        path.unlink()


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Makes `data` the content of `path`, or leaves `path` unchanged. Raises FileError."""
    with atomic_writer(path, durable=durable) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented UTF-8 JSON that people can read and diff. Raises FileError.

    Bytes of file names that are not UTF-8 are escaped like \udcff, which `read_json` restores.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))


def keep_json(path: Path, value: Any, most: int) -> None:
    """Writes `value` as JSON beside others that can be computed again; of more than `most`, the oldest go.

    A folder that cannot be written is no error: what is missing is computed again.
    """
    with contextlib.suppress(FileError):
        write_json(path, value)
        keep_newest(path.parent, most)


def keep_newest(folder: Path, most: int) -> None:
    """Deletes the oldest JSON files in a folder that has more than that, as far as it can."""
    with contextlib.suppress(OSError):
        kept = sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
        for each in kept[most:]:
            each.unlink(missing_ok=True)


def open_regular(path: Path, max_bytes: int | None) -> BinaryIO:
    """The file, opened for reading. Raises OSError unless it is a regular file, or a link to one.

    Also raises OSError for a file larger than `max_bytes`; None allows any size, for callers that read it in
    parts. Never blocks: not even on a pipe that nobody writes to.
    """
    # Before opening, because opening a device can have effects; after it, because the name may by then stand
    # for something else. O_NONBLOCK keeps open() from waiting for the other end of a pipe.
    try:
        found = os.stat(path)
    except ValueError as error:
        raise _no_such_name(path) from error
    _require_regular(path, found, max_bytes)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _require_regular(path, os.fstat(descriptor), max_bytes)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most that size. Raises OSError, as `open_regular` does."""
    with open_regular(path, max_bytes) as file:
        # No more at a time than the file is said to have: read() takes the memory that it is asked for first.
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1) or b""
        # It may be growing.
        while len(data) > size and (more := file.read(_BLOCK_BYTES)):
            data += more
            if len(data) > max_bytes:
                raise _too_large(path, max_bytes)
    if len(data) > max_bytes:
        raise _too_large(path, max_bytes)
    return data


def _require_regular(path: Path, found: os.stat_result, max_bytes: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))
    if max_bytes is not None and found.st_size > max_bytes:
        raise _too_large(path, max_bytes)


def _no_such_name(path: Path) -> OSError:
    """For a name with a null character or half of a character, for which Python raises ValueError."""
    return OSError(errno.EINVAL, "no file can have this name", str(path))


def _too_large(path: Path, max_bytes: int) -> OSError:
    limit = f"{max_bytes / 2**20:,.0f} MB" if max_bytes >= 2**20 else f"{max_bytes:,} bytes"
    return OSError(errno.EFBIG, f"it is larger than {limit}, the most that is read of such a file", str(path))


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The value in a JSON file. Raises FileError, which names the file and the line with the error."""
    try:
        data = read_regular(Path(path), max_bytes)
    except FileNotFoundError as error:
        raise FileError(f"There is no file {path}.") from error
    except OSError as error:
        raise FileError(f"Cannot read {path}: {_reason(error)}.") from error
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not a JSON file: it is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise FileError(
            f"{path} is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise FileError(f"{path} is nested too deeply to read.") from error
    except ValueError as error:
        raise FileError(f"{path} cannot be read as JSON: {error}.") from error


def _refuse_constant(name: str) -> NoReturn:
    # Python's json module accepts NaN and Infinity, which are not JSON and which nothing here can use.
    raise ValueError(f"{name} is not allowed in JSON")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def fsync_folder(folder: Path) -> None:
    """Makes renames in the folder durable. Does nothing where folders cannot be opened (only POSIX can)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
