"""A cache of decoded images, stored as plain files that are memory-mapped instead of read.

`datasets/decoded/<key>/<hash of the source state>/` is one entry: the files of `writers` for training and
test images, and `about.json` with everything that would take a pass over all images (the fingerprint and the
histograms of the values) and with the size and modification time of each file.

**What a killed writer leaves.** An entry is written to a temporary folder and renamed when it is complete.
The order is: pixels and labels are written and fsynced, then `about.json`, then the folder is renamed, then
the parent folder is fsynced. A process killed at any point therefore leaves either a complete entry or a
folder with a temporary name, which is deleted when the next entry of any key is written. Because the rename
comes last, an entry with its final name never has missing or partial files, even after a power failure.

**What is verified.** An entry is used only if the checksum of `about.json` is right and size and modification
time of each file match it. The pixels are not read for this: hashing gigabytes at every start would cost more
than the cache saves. A disk that silently corrupts bits would not be noticed; `cnnstudio data clear` empties
the cache.

**What is reused.** An entry also has a key for the file of each image. If files are added or change, the next
entry takes the images of all other files from the last one.

**How it stays small.** A key has one entry, the last one requested. Writing an entry also deletes entries of
other keys that nobody has opened for two months.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import fsync_folder, read_json, write_atomically
from cnnstudio.core.locking import FileLock
from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.dataset import RESIZE_MODES, DataError, Dataset, Split, as_channels_last
from cnnstudio.data.storage.previous import PreviousImages
from cnnstudio.data.storage.writers import DatasetWriter, labels_file, pixels_file, read_keys, read_split

VERSION = 1
"""Raised with every change to the files written here, so that entries of older versions are not used."""

_ABOUT = "about.json"
_LOCK = "lock"
_REQUIRED_PARTS = ("train", "test")
_OPTIONAL_PART = "validation"
_MAX_SKIPPED = 500_000  # what about.json has space for
_MAX_UNUSED_SECONDS = 60 * 24 * 3600
# Polled, because a blocking lock could not be cancelled.
_RETRY_SECONDS = 0.1


def get_or_create(
    key: str,
    source_state: Any,
    create: Callable[[DatasetWriter], Dataset],
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> Dataset:
    """The cached data set of that key, or the result of `create`, which is then cached.

    The entry is used only if it was created for an equal `source_state`: JSON that changes whenever the
    result of `create` would. `create` writes the splits with its `DatasetWriter`. If several processes ask
    for the same key, one creates the entry and the others wait. If nothing can be cached, the data set is in
    memory. Raises DataError, Cancelled and whatever `create` raises.
    """
    # The state is in the name, so that an entry is found, or not, without reading anything. 128 bits of the
    # hash are enough: nobody gains anything by a collision in a cache of their own.
    text = json.dumps([VERSION, source_state])
    entry = decoded_folder() / key / hashlib.sha256(text.encode()).hexdigest()[:32]
    # Without the lock: an entry with its final name is complete, and never changed afterwards.
    dataset = _open(entry)
    if dataset is not None:
        return dataset
    with _exclusive(entry.parent, progress, cancelled):
        # Another process may have written the entry while this one waited for the lock.
        dataset = _open(entry)
        if dataset is None:
            previous = _previous(entry)
            # Before and not after: it makes the space that the new entry may need, and `os.replace` cannot
            # replace a damaged entry of the same name, because a folder that is not empty cannot be replaced.
            _evict(entry.parent, keep=previous and previous[0])
            dataset = _create(entry, create, throttled(progress), cancelled, previous and previous[1])
            if previous is not None:
                del previous  # Windows cannot delete files that are mapped
                _evict(entry.parent, keep=entry)
        return dataset


def cache_key(kind: str, name: str) -> str:
    """The cache key for something with a name chosen by the user, whatever characters the name contains."""
    return f"{kind}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def decoded_folder() -> Path:
    """The folder with all cache entries."""
    return datasets_folder() / "decoded"


def decoded_size() -> int:
    """The size of all cache entries in bytes."""
    size = 0
    for path in decoded_folder().glob("*/*/*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size


def clear_cache() -> None:
    """Deletes all entries, except those being written. An open data set stays readable until it is closed."""
    for folder in decoded_folder().glob("*"):
        discard(folder.name)


def discard(key: str) -> None:
    """Deletes the entry of that key, unless it is being written."""
    folder = decoded_folder() / key
    # Opening the lock fails if there is no such folder; locking fails while the entry is being written.
    with contextlib.suppress(OSError), FileLock(folder / _LOCK):
        _empty(folder)


def _create(
    entry: Path,
    create: Callable[[DatasetWriter], Dataset],
    progress: ProgressFunction,
    cancelled: CancelFunction,
    previous: PreviousImages | None,
) -> Dataset:
    with DatasetWriter(entry.with_name(_unfinished_name(secrets.token_hex(4))), previous) as writer:
        dataset = create(writer)
        # Nothing was written, because the disk is too full: the data set is in memory.
        if writer.folder is None:
            return dataset
        fingerprint = writer.fingerprint(dataset)
        if fingerprint is None:
            fingerprint = _compute_fingerprint(dataset, progress, cancelled)
        dataset.preset_fingerprint(fingerprint)
        try:
            _write_metadata(dataset, entry.name, writer.folder)
            # Windows cannot rename a folder while files in it are mapped: drop the maps, and map again below.
            del dataset
            os.replace(writer.folder, entry)
        except OSError as error:
            raise DataError(f"Cannot store decoded images in {entry.parent}: {error.strerror}.") from error
    fsync_folder(entry.parent)
    opened = _open(entry)
    if opened is None:
        raise DataError(f"The decoded images in {entry} were changed while they were written: try again.")
    return opened


def _previous(entry: Path) -> tuple[Path, PreviousImages] | None:
    """The last entry of the same key, if its images are known by their files and both fit on the disk."""
    with contextlib.suppress(OSError):
        for folder in entry.parent.iterdir():
            if folder == entry or not (folder / _ABOUT).exists():
                continue
            dataset = _open(folder)
            if dataset is None:
                continue
            parts = [
                (as_channels_last(split.images), read_keys(folder, part))
                for part, split in dataset.splits.items()
                if len(split)
            ]
            found = PreviousImages(parts, dataset.resize)
            has_keys = all(len(pixels) == len(keys) for pixels, keys in parts)
            if has_keys and shutil.disk_usage(folder).free > 2 * found.size:
                return folder, found
    return None


def _compute_fingerprint(dataset: Dataset, progress: ProgressFunction, cancelled: CancelFunction) -> str:
    """The fingerprint, with progress reports; large data sets take a while."""
    total, done = dataset.image_count, 0

    def on_chunk(images: int) -> None:
        nonlocal done
        raise_if_cancelled(cancelled)
        done += images
        progress(Progress(done, total, f"Checking {dataset.title}: {done:,} of {total:,} images"))

    return dataset.compute_fingerprint(on_chunk)


def _write_metadata(dataset: Dataset, key: str, folder: Path) -> None:
    """Writes `about.json`, which `_open` reads."""
    about = {
        "key": key,
        "name": dataset.name,
        "title": dataset.title,
        "classes": dataset.classes,
        "notes": dataset.notes,
        **({"skipped": dataset.skipped[:_MAX_SKIPPED]} if dataset.skipped else {}),
        **({} if dataset.resize == "fill" else {"resize": dataset.resize}),
        "shape": dataset.shape,
        "fingerprint": dataset.fingerprint,
        "levels": {part: split.histograms.tolist() for part, split in dataset.splits.items()},
        "files": {path.name: _file_state(path) for path in _files(folder, dataset.splits)},
    }
    about["sha256"] = _digest(about)
    write_atomically(folder / _ABOUT, json.dumps(about).encode())


def _open(entry: Path) -> Dataset | None:
    """The data set of that entry; None if it is missing, damaged or something else."""
    try:
        # The file may contain anything, hence the many exceptions below. Each means the same: decode again.
        about = read_json(entry / _ABOUT)
        if about.pop("sha256") != _digest(about) or about["key"] != entry.name:
            return None
        parts = (*_REQUIRED_PARTS, *(part for part in about["levels"] if part == _OPTIONAL_PART))
        if any(about["files"][path.name] != _file_state(path) for path in _files(entry, parts)):
            return None
        dataset = Dataset(
            about["name"],
            about["title"],
            tuple(about["classes"]),
            _split(entry, "train", about),
            _split(entry, "test", about),
            tuple(about["notes"]),
            _split(entry, _OPTIONAL_PART, about) if _OPTIONAL_PART in parts else None,
            tuple(map(int, about.get("skipped", ()))),
            resize=RESIZE_MODES[RESIZE_MODES.index(about.get("resize", "fill"))],
        )
    except (OSError, UserError, ValueError, LookupError, TypeError, OverflowError, AttributeError):
        return None
    dataset.preset_fingerprint(about["fingerprint"])
    with contextlib.suppress(OSError):
        os.utime(entry / _ABOUT)  # the time of last use, for `_evict`
    return dataset


def _split(entry: Path, part: str, about: dict[str, Any]) -> Split:
    """Raises OSError or ValueError if the files are not those that were written, among other errors."""
    channels, height, width = about["shape"]
    split = read_split(entry, part, (channels, height, width))
    levels = np.array(about["levels"][part], np.int64)
    if levels.shape != (channels, 256) or (levels.sum(axis=1) != len(split) * height * width).any():
        raise ValueError("there are more or fewer images than were written")
    if ((split.labels < 0) | (split.labels >= len(about["classes"]))).any():
        raise ValueError("an image has a class that does not exist")
    split.preset_histograms(levels)
    return split


def _digest(about: dict[str, Any]) -> str:
    # Against damage, not against forgery: whoever can write the file can write the digest.
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _files(folder: Path, parts: Iterable[str]) -> list[Path]:
    return [file(folder, part) for part in parts for file in (pixels_file, labels_file)]


def _file_state(path: Path) -> list[int]:
    """Size in bytes and modification time in ns, which identify the file that was written."""
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


@contextlib.contextmanager
def _exclusive(folder: Path, progress: ProgressFunction, cancelled: CancelFunction) -> Iterator[None]:
    """Holds the lock of a key's folder, which is created if it is missing. Waits for other processes."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(folder / _LOCK))
            except BlockingIOError:
                progress(Progress(0, None, "Waiting for another program that is reading the same images"))
                raise_if_cancelled(cancelled)
                time.sleep(_RETRY_SECONDS)
                continue
            # After BlockingIOError, which is an OSError as well.
            except OSError:
                pass  # where no lock file can be written, nothing can be cached either
            break
        yield


def _evict(folder: Path, keep: Path | None = None) -> None:
    """Deletes the key's entries but for `keep`, remains of killed writers, and what is not used."""
    # Entries of other keys without their locks: what has not been opened for two months is not being written.
    # On POSIX, a program that has mapped the files keeps them; on Windows they cannot be deleted.
    _empty(folder, keep)
    _remove_unfinished(folder)
    for about in decoded_folder().glob(f"*/*/{_ABOUT}"):
        with contextlib.suppress(OSError):
            if about.stat().st_mtime < time.time() - _MAX_UNUSED_SECONDS:
                shutil.rmtree(about.parent, ignore_errors=True)


def _remove_unfinished(own: Path) -> None:
    """Deletes what killed writers left under other keys, whose entries may never be written again."""
    for key in {path.parent for path in decoded_folder().glob(f"*/{_unfinished_name('*')}")} - {own}:
        # Locking fails while an entry of the key is being written.
        with contextlib.suppress(OSError), FileLock(key / _LOCK):
            for path in key.glob(_unfinished_name("*")):
                shutil.rmtree(path, ignore_errors=True)


def _unfinished_name(token: str) -> str:
    """The name of an entry while it is being written."""
    return f".{token}.tmp"


def _empty(folder: Path, keep: Path | None = None) -> None:
    with contextlib.suppress(OSError):
        # The lock file stays: deleting it would let another process lock a new file of the same name.
        for path in folder.iterdir():
            if path.name != _LOCK and path != keep:
                shutil.rmtree(path, ignore_errors=True)
