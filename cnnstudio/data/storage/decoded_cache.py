"""Decoded images, kept as plain files that are mapped into memory instead of read.

`datasets/decoded/<place>/<key>/` holds a data set as it lies in memory: the files of `drafts` for training
and test images, and `about.json` with all that would take a look at every image (fingerprint, how often
each value occurs) and with the size and time of each file. The folder gets its name when it is whole; what a
killed process leaves of it has another name and goes with the next one that is made.

A set is taken from there only if `about.json` is as it was written and sizes and times of the files are those
it tells. The pixels themselves are not read again for that: a disk that loses bits by itself would not be
noticed (`cnnstudio data clear` has everything made anew).

It does not grow for ever: a place keeps one set, the one that was wanted last, and with each that is made
those go that nobody opened for two months.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import read_json, sync_folder, write_atomically
from cnnstudio.core.locking import try_lock
from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.dataset import DataError, Dataset, Split
from cnnstudio.data.storage.writers import Drafts, labels_file, pixels_file, read_split

VERSION = 1
"""Goes up with every change to what is written here."""

_ABOUT = "about.json"
_LOCK = "lock"
_PARTS = ("train", "test")
_UNUSED = 60 * 24 * 3600
"""Seconds after which a set that nobody opens is in the way."""
_TICK = 0.1


def kept_or_made(
    place: str,
    key: Any,
    make: Callable[[Drafts], Dataset],
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
) -> Dataset:
    """The data set of that place if it was made for that very `key` (JSON), else what `make` makes now.

    `make` puts the splits into its drafts. Only one process makes a place's set; others wait for it. Where
    nothing can be kept the set is in memory. Raises DataError, Cancelled and what `make` raises.
    """
    words = json.dumps([VERSION, key])
    entry = decoded_folder() / place / hashlib.sha256(words.encode()).hexdigest()[:32]
    found = _opened(entry)
    if found is not None:
        return found
    with _alone(entry.parent, progress, cancelled):
        found = _opened(entry)
        if found is None:
            _tidy(entry.parent)
            found = _made(entry, make, throttled(progress), cancelled)
        return found


def place_of(kind: str, name: str) -> str:
    """The place of what the user has named, whatever characters are in the name."""
    return f"{kind}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def decoded_folder() -> Path:
    """Where everything stands that is kept here."""
    return datasets_folder() / "decoded"


def decoded_size() -> int:
    """Bytes that all of it takes."""
    size = 0
    for path in decoded_folder().glob("*/*/*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size


def clear() -> None:
    """Empties it all, but for what is being made just now. What is in use stays so until it is closed."""
    for place in decoded_folder().glob("*"):
        forget(place.name)


def forget(place: str) -> None:
    """The same for one place."""
    folder = decoded_folder() / place
    # No folder, nothing to do; a lock that is held, and it is in the making.
    with contextlib.suppress(OSError), open(folder / _LOCK, "a+b") as lock:
        try_lock(lock, shared=False)
        _empty(folder)


def _made(
    entry: Path, make: Callable[[Drafts], Dataset], progress: ProgressFunction, cancelled: CancelFunction
) -> Dataset:
    with Drafts(entry.with_name(f".{secrets.token_hex(4)}.tmp")) as drafts:
        dataset = make(drafts)
        if drafts.folder is None:
            return dataset
        _look_through(dataset, progress, cancelled)
        try:
            _describe(dataset, entry.name, drafts.folder)
            # No system but POSIX renames a folder whose files are mapped.
            del dataset
            os.replace(drafts.folder, entry)
        except OSError as error:
            raise DataError(f"Cannot keep decoded images in {entry.parent}: {error.strerror}.") from error
    sync_folder(entry.parent)
    found = _opened(entry)
    if found is None:
        raise DataError(f"The decoded images in {entry} were changed while they were written: try again.")
    return found


def _look_through(dataset: Dataset, progress: ProgressFunction, cancelled: CancelFunction) -> None:
    """Works out the fingerprint, which for many images takes a while."""
    whole, done = len(dataset.train) + len(dataset.test), 0

    def tell(more: int) -> None:
        nonlocal done
        check(cancelled)
        done += more
        progress(Progress(done, whole, f"Checking {dataset.title}: {done:,} of {whole:,} images"))

    dataset.recall(dataset.look_through(tell))


def _describe(dataset: Dataset, key: str, folder: Path) -> None:
    """Writes down what `_opened` needs."""
    about = {
        "key": key,
        "name": dataset.name,
        "title": dataset.title,
        "classes": dataset.classes,
        "notes": dataset.notes,
        "shape": dataset.shape,
        "fingerprint": dataset.fingerprint,
        "levels": {part: getattr(dataset, part).levels.tolist() for part in _PARTS},
        "files": {path.name: _state(path) for path in _files(folder)},
    }
    about["sha256"] = _digest(about)
    write_atomically(folder / _ABOUT, json.dumps(about).encode())


def _opened(entry: Path) -> Dataset | None:
    """What is kept there; None where there is nothing, something else or damage."""
    try:
        about = read_json(entry / _ABOUT)
        if about.pop("sha256") != _digest(about) or about["key"] != entry.name:
            return None
        if any(about["files"][path.name] != _state(path) for path in _files(entry)):
            return None
        dataset = Dataset(
            about["name"],
            about["title"],
            tuple(about["classes"]),
            _split(entry, "train", about),
            _split(entry, "test", about),
            tuple(about["notes"]),
        )
    except (OSError, UserError, ValueError, LookupError, TypeError, AttributeError):
        return None
    dataset.recall(about["fingerprint"])
    with contextlib.suppress(OSError):
        os.utime(entry / _ABOUT)
    return dataset


def _split(entry: Path, part: str, about: dict[str, Any]) -> Split:
    channels, height, width = about["shape"]
    split = read_split(entry, part, (channels, height, width))
    split.recall(np.array(about["levels"][part], np.int64))
    return split


def _digest(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return [file(folder, part) for part in _PARTS for file in (pixels_file, labels_file)]


def _state(path: Path) -> list[int]:
    """By which a file is taken for the one that was written."""
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


@contextlib.contextmanager
def _alone(folder: Path, progress: ProgressFunction, cancelled: CancelFunction) -> Iterator[None]:
    """Nobody else makes anything in this place meanwhile, which is made where it is missing."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(folder / _LOCK, "a+b"))
        except OSError:
            pass  # where no lock can be written nothing can be kept either
        else:
            _wait_for(file, progress, cancelled)
        yield


def _wait_for(lock: BinaryIO, progress: ProgressFunction, cancelled: CancelFunction) -> None:
    while True:
        with contextlib.suppress(BlockingIOError):
            try_lock(lock, shared=False)
            return
        progress(Progress(0, None, "Waiting for another program that reads the same images"))
        check(cancelled)
        time.sleep(_TICK)


def _tidy(folder: Path) -> None:
    """Takes away what was in this place, a killed program's rest included, and what nobody used for long."""
    _empty(folder)
    for about in decoded_folder().glob(f"*/*/{_ABOUT}"):
        with contextlib.suppress(OSError):
            if about.stat().st_mtime < time.time() - _UNUSED:
                shutil.rmtree(about.parent, ignore_errors=True)


def _empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path, ignore_errors=True)
