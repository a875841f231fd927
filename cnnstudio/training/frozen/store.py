"""Features on disk: one file for each set of images, mapped into memory; the oldest go first."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnstudio.core.files import FileError, atomic_writer
from cnnstudio.core.paths import home
from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.storage.memmap import map_pixels

_log = logging.getLogger(__name__)

Features = npt.NDArray[np.float32]
"""(N, values), one row per image."""

MAX_FILE_BYTES = 2**30
"""Larger ones would not stay in memory."""
MAX_BYTES = 4 * 2**30
"""Of all features of the user together."""
_MIN_FREE_BYTES = 2**30
"""Left on the disk for everything else."""
_SUFFIX = ".features"


def features_folder() -> Path:
    """Where features are kept; they can be deleted at any time."""
    return home() / "features"


def load_or_compute(
    key: str, shape: tuple[int, int], compute: Callable[[int], Iterator[Features]]
) -> Features:
    """The features of that key, float32 of `shape` (N, values), mapped read-only.

    `compute(first)` gives them in parts, in order, beginning with row `first`; they are then kept for the
    next time. If they cannot be, because the disk is full, they stay in memory. When `compute` raises
    Cancelled, what it has given until then is kept, and whoever asks next begins after it.
    """
    found = find_features(key, shape)
    if found is not None:
        return found
    begun = _begun_key(key, shape)
    parts = _find_begun(begun, shape)
    rest = compute(sum(map(len, parts)))

    def computed() -> Iterator[Features]:
        yield from tuple(parts)
        for part in rest:
            parts.append(part)
            yield part

    try:
        found = keep_features(key, shape, computed())
        if found is None:
            parts.extend(rest)
    except Cancelled:
        if parts:
            keep_features(begun, (sum(map(len, parts)), shape[1]), iter(parts))
        raise
    with contextlib.suppress(OSError):
        _path(begun).unlink(missing_ok=True)
    if found is not None:
        return found
    if sum(map(len, parts)) != shape[0]:
        raise DataError("The images changed while they were read: load the data set again.")
    return np.concatenate(parts)


def _begun_key(key: str, shape: tuple[int, int]) -> str:
    """The key of the first rows of features that were not computed to the end."""
    return repr(["begun", key, shape])


def _find_begun(key: str, shape: tuple[int, int]) -> list[Features]:
    """The first rows of features of `shape`, as a list of one part; empty if there are none."""
    with contextlib.suppress(OSError):
        rows = _path(key).stat().st_size // (4 * shape[1])
        found = find_features(key, (rows, shape[1])) if 0 < rows < shape[0] else None
        return [] if found is None else [found]
    return []


def find_features(key: str, shape: tuple[int, int]) -> Features | None:
    """The kept features of that key, float32 of `shape` (N, values), mapped read-only; None without them."""
    path = _path(key)
    with contextlib.suppress(OSError, ValueError):
        found = _map(path, shape)
        os.utime(path)  # it was used: others are older
        return found
    return None


def keep_features(key: str, shape: tuple[int, int], parts: Iterator[Features]) -> Features | None:
    """Keeps features that come in parts, and maps them; None if they cannot be kept: the disk may be full.

    Some of `parts` may not have been asked for then.
    """
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_room(4 * shape[0] * shape[1])
        with atomic_writer(path) as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, "<f4").data)
        return _map(path, shape)
    except (OSError, FileError, ValueError) as error:
        _log.info("Cannot keep features in %s: %s", path, error)
    return None


def _path(key: str) -> Path:
    return features_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_SUFFIX}"


def _map(path: Path, shape: tuple[int, int]) -> Features:
    """Raises OSError if there is no such file, ValueError if it has another size."""
    pixels = map_pixels(path, (shape[0], 1, 1, 4 * shape[1]))
    found: Features = pixels.reshape(shape[0], 4 * shape[1]).view("<f4")
    return found


def _make_room(size: int) -> None:
    """Deletes the features that were not used for longest, until `size` bytes more are within the limit."""
    files = []
    for path in features_folder().glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    total = sum(bytes for _, bytes, _ in files) + size
    for _, used, path in sorted(files):
        if total <= MAX_BYTES:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            total -= used
    if shutil.disk_usage(features_folder()).free < size + _MIN_FREE_BYTES:
        raise OSError("there is not enough space on the disk")
