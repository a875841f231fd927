"""Atomic file writes: a temporary file beside the target is written, synced to disk, then renamed over it.

The order matters. Without the fsync before the rename, a power failure can leave the new name without the new
data; without the fsync of the folder afterwards, the rename itself may be lost. The temporary file is in the
same folder because a rename is atomic only within one file system.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from cnnstudio.core.errors import UserError


class FileError(UserError):
    """A file that cannot be read or written."""


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
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """A new file to write into, which replaces `path` if the block ends without an error.

    Missing folders are created. Whatever goes wrong, including a process killed in the middle of a write,
    `path` has either its old content or the complete new content. Raises FileError if the system refuses.
    """
    # For a symbolic link, replace the file that it points to, not the link.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        fsync_folder(target.parent)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {_reason(error)}. Choose a writable location.") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Makes `data` the content of `path`, or leaves `path` unchanged. Raises FileError."""
    with atomic_writer(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented UTF-8 JSON that people can read and diff. Raises FileError."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises FileError, which names the file and the line with the error."""
    try:
        data = Path(path).read_bytes()
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
