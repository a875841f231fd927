"""Features on disk: one file for each set of images, mapped into memory; the oldest go first."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from cnnstudio.core.files import FileError, atomic_writer, open_regular, remove_abandoned_files
from cnnstudio.core.formatting import as_printed, format_bytes
from cnnstudio.core.paths import home
from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.storage.memmap import map_pixels, stays_in_memory

_log = logging.getLogger(__name__)

FLOAT32, BFLOAT16 = np.dtype("<f4"), np.dtype("<u2")
"""The types of kept values. numpy has no bfloat16: these are its bits, the upper half of a float32's."""

Values = npt.NDArray[Any]
"""(N, values) of one of these types."""

MAX_BYTES = 4 * 2**30
"""Of all features of the user together."""
MAX_TRAINING_BYTES = 3 * 2**30
"""Of one training: all its copies, and those of the images that it is evaluated on.

The rest of MAX_BYTES is for its first stage, whose features are of deeper layers and so a fraction of these,
and for what was computed of other images: with more, the files would displace each other, and a following
training of the same kind would not find all of them.
"""
_MAX_UNKEPT_BYTES = 2**28
"""In the program's own memory, if the disk has no room. What is mapped from a file is the system's."""
_MIN_FREE_BYTES = 2**30
"""Left on the disk for everything else."""
_SUFFIX = ".features"


class NotKept(DataError):
    """There is no room for features."""


@dataclass(frozen=True, eq=False)
class Features:
    """What layers give for images, one row per image; an index gives float32 rows, whatever is kept."""

    values: Values
    """(N, values), FLOAT32 or BFLOAT16, in memory or mapped read-only."""

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """float32 (n, values), which may be a view of the mapped file."""
        found = self.values[rows]
        return (found.astype(np.uint32) << 16).view(np.float32) if found.dtype == BFLOAT16 else found


def features_folder() -> Path:
    """Where features are kept; they can be deleted at any time."""
    return home() / "features"


def require_room(size: int) -> None:
    """Raises NotKept if features of a training that take so many bytes together would not be kept.

    Each epoch reads them in another order, so that they should stay in memory. That of the machine is asked
    for, not what is free of it now: a run that is repeated or resumed must not compute in another way because
    of what else is running. Where less is free, what a batch needs is read during the batch before. Of 50,000
    images with 16 kB each, an epoch took 1.5 seconds, or 50 if none of them stayed in memory; to compute them
    took ten minutes.
    """
    if size > MAX_TRAINING_BYTES:
        raise _too_large(size, f"at most {format_bytes(MAX_TRAINING_BYTES)} are kept")
    if not stays_in_memory(size):
        raise _too_large(size, "this computer has too little memory for it")
    # Others make room, and those of this training may be among what is there.
    if size > _MAX_UNKEPT_BYTES and not _has_room(size, sum(used for _, used, _ in _kept_files())):
        raise _disk_is_full(size)


def _too_large(size: int, reason: str) -> NotKept:
    return NotKept(f"What the locked layers compute would take {format_bytes(size)}: {reason}.")


def _disk_is_full(size: int) -> NotKept:
    return _too_large(size, f"there is not enough space on the disk of {as_printed(str(features_folder()))}")


def load_or_compute(
    key: str, shape: tuple[int, int], dtype: np.dtype[Any], compute: Callable[[int], Iterator[Values]]
) -> Features:
    """The features of that key, of `shape` (N, values) and FLOAT32 or BFLOAT16, mapped read-only.

    `compute(first)` gives them in parts, in order, beginning with row `first`; they are then kept for the
    next time. If they cannot be, because the disk is full, they stay in memory, or NotKept is raised for more
    than a little. When `compute` raises Cancelled, what it has given until then is kept, and whoever asks
    next begins after it.
    """
    found = find_features(key, shape, dtype)
    if found is not None:
        return found
    try:
        _compute_into_file(key, shape, dtype, compute)
        return _map(_path(key, dtype), shape, dtype)
    except (OSError, FileError, ValueError) as error:
        _log.info("Cannot keep features in %s: %s", features_folder(), error)
    # Windows replaces no file that another process uses, which has computed the same.
    found = find_features(key, shape, dtype)
    if found is not None:
        return found
    if _size(shape, dtype) > _MAX_UNKEPT_BYTES:
        raise _disk_is_full(_size(shape, dtype))
    values, rows = np.empty(shape, dtype), 0
    for part in compute(0):
        values[rows : rows + len(part)] = part
        rows += len(part)
    _require_all(rows, shape)
    return Features(values)


def _compute_into_file(
    key: str, shape: tuple[int, int], dtype: np.dtype[Any], compute: Callable[[int], Iterator[Values]]
) -> None:
    """Each part is written when it comes, so that they do not add up in memory.

    Nobody else writes into the same file. Of several processes that compute the same, each replaces what is
    there with a whole file.
    """
    # The rows that there are when it is cancelled get a name of their own.
    begun = _path(repr(["begun", key, shape]), dtype)
    _make_room(_size(shape, dtype))
    stopped: Cancelled | None = None
    with atomic_writer(_path(key, dtype), instead=lambda: begun if stopped else None) as file:
        rows = first = _copy_begun(begun, file, shape, dtype)
        try:
            for part in compute(first):
                file.write(np.ascontiguousarray(part, dtype).data)
                rows += len(part)
        except Cancelled as error:
            if rows == first:
                raise  # what was begun before stays as it is
            stopped = error
        else:
            _require_all(rows, shape)
    if stopped is not None:
        raise stopped
    with contextlib.suppress(OSError):
        begun.unlink(missing_ok=True)


def _copy_begun(path: Path, file: BinaryIO, shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    """Writes the rows that were computed before into the file; returns how many."""
    row = _size((1, shape[1]), dtype)
    try:
        before = open_regular(path, None)
    except OSError:
        return 0
    with before:
        rows, rest = divmod(os.fstat(before.fileno()).st_size, row)
        if rest or rows >= shape[0]:
            return 0
        shutil.copyfileobj(before, file, 2**20)
    return rows


def _require_all(rows: int, shape: tuple[int, int]) -> None:
    if rows != shape[0]:
        raise DataError("The images changed while they were read: load the data set again.")


def find_features(key: str, shape: tuple[int, int], dtype: np.dtype[Any] = FLOAT32) -> Features | None:
    """The kept features of that key, of `shape` (N, values), mapped read-only; None without them."""
    path = _path(key, dtype)
    with contextlib.suppress(OSError, ValueError):
        found = _map(path, shape, dtype)
        os.utime(path)  # it was used: others are older
        return found
    return None


def keep_features(
    key: str, shape: tuple[int, int], parts: Iterator[npt.NDArray[np.float32]]
) -> Features | None:
    """Keeps float32 features that come in parts, and maps them; None if they cannot be kept.

    The disk may be full. Some of `parts` may not have been asked for then.
    """
    path = _path(key, FLOAT32)
    try:
        _make_room(_size(shape, FLOAT32))
        with atomic_writer(path) as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, FLOAT32).data)
        return _map(path, shape, FLOAT32)
    except (OSError, FileError, ValueError) as error:
        _log.info("Cannot keep features in %s: %s", path, error)
    return None


def _size(shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    return dtype.itemsize * shape[0] * shape[1]


def _path(key: str, dtype: np.dtype[Any]) -> Path:
    # A file does not say what its values are; its name does. The key alone is that of float32, as ever.
    name = key if dtype == FLOAT32 else repr(["bfloat16", key])
    return features_folder() / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}{_SUFFIX}"


def _map(path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> Features:
    """Raises OSError if there is no such file, ValueError if it has another size."""
    row = _size((1, shape[1]), dtype)
    return Features(map_pixels(path, (shape[0], 1, 1, row)).reshape(shape[0], row).view(dtype))


def _kept_files() -> list[tuple[float, int, Path]]:
    """(when it was last used, bytes, path) of each file, the oldest first."""
    files = []
    for path in features_folder().glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    return sorted(files)


def _has_room(size: int, freed: int = 0) -> bool:
    """Whether the disk takes so many bytes, once others are freed."""
    folder = features_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free + freed >= size + _MIN_FREE_BYTES


def _make_room(size: int) -> None:
    """Deletes the features that were not used for longest, until `size` bytes more are within the limits."""
    features_folder().mkdir(parents=True, exist_ok=True)
    remove_abandoned_files(features_folder())
    files = _kept_files()
    total = sum(used for _, used, _ in files)
    if not _has_room(size, total):
        raise OSError("there is not enough space on the disk")
    for _, used, path in files:
        if total + size <= MAX_BYTES and _has_room(size):
            break
        with contextlib.suppress(OSError):
            path.unlink()
            total -= used
    if not _has_room(size):
        raise OSError("there is not enough space on the disk")
