"""Files that are whole or not there: written beside the place, put on the disk, then moved into it."""

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
    """A file that cannot be read or written, in one plain sentence."""


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; what the system cannot look for (a name too long) is not."""
    return os.path.exists(path)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, with no error either for what the system cannot look for."""
    return os.path.isdir(path)


def with_home(path: str | Path) -> Path:
    """The path with the user's folder in place of a leading ~; one with an unknown user's stays as it is."""
    return Path(os.path.expanduser(path))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file to write into, which takes the place of `path` when the block ends well.

    Missing folders are made. Whatever goes wrong, also in the middle of a write or by a killed process,
    `path` holds its old content or the whole new one. Raises FileError where the system refuses.
    """
    # Through a link the file behind it is replaced, not the link.
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
        sync_folder(target.parent)
    except OSError as error:
        raise FileError(
            f"Cannot write {path}: {_reason(error)}. Choose a place that can be written."
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Make `data` the whole content of `path`, or leave `path` as it was. Raises FileError."""
    with replacing(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON that people can read and compare. Raises FileError."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """What the JSON file says. Raises FileError, which names the file and the line that is wrong."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"There is no file {path}.") from error
    except OSError as error:
        raise FileError(f"Cannot read {path}: {_reason(error)}.") from error
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not a JSON file: it holds bytes that are no text.") from error
    except json.JSONDecodeError as error:
        raise FileError(
            f"{path} is not a whole JSON file: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise FileError(f"{path} is nested too deeply to be read.") from error
    except ValueError as error:
        raise FileError(f"{path} cannot be read as JSON: {error}.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON knows")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Put new names in the folder on the disk too; only POSIX systems can open a folder for it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
