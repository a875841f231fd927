"""Readings that are kept on disk, because they are small and take long: beside the runs, never in them.

Which run, epoch and images a file is about is in its name. All of them can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from cnnstudio.core.files import FileError, read_regular, write_atomically
from cnnstudio.core.paths import home
from cnnstudio.data.versions.version import version_id
from cnnstudio.insight.catalog import instrument
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs.saved_best import saved_best_epoch
from cnnstudio.runs.run import Run

_log = logging.getLogger(__name__)

VERSION = 1
"""Raised with every change to how kept readings are computed, so that older ones are not used."""
MAX_BYTES = 2**18
MAX_FILES = 2_000
_SUFFIX = ".reading"


def readings_folder() -> Path:
    """Where readings are kept."""
    return home() / "readings"


def identify(run: Run, epoch: int, images: str) -> str:
    """Changes with everything that a reading of the run's weights depends on, besides the instrument.

    `images` is their version, which they keep when they are resized to the network's input. The best weights
    are in full precision, those of other epochs not.
    """
    is_best = epoch == saved_best_epoch(run)
    created = str(run.metadata.get("created"))
    return repr([VERSION, run.id, created, epoch, is_best, images, run.network.input.dims])


def find_reading(run: Run, epoch: int, name: str, split: str, images: str | None = None) -> Reading | None:
    """The kept reading of an instrument; by default of the images that the run was trained on."""
    path = _path(run, epoch, name, split, version_of_run(run) if images is None else images)
    with contextlib.suppress(OSError, ValueError, SafetensorError):
        reading = instrument(name).unpack(load(read_regular(path, MAX_BYTES)))
        os.utime(path)
        return reading
    return None


def keep_reading(reading: Reading, run: Run, epoch: int, name: str, split: str, images: str) -> None:
    """Keeps a reading of that version of the images, if it is small and the disk allows it."""
    content = save(reading.pack())
    if len(content) > MAX_BYTES:
        return
    try:
        readings_folder().mkdir(parents=True, exist_ok=True)
        _make_room()
        write_atomically(_path(run, epoch, name, split, images), content, durable=False)
    except (OSError, FileError) as error:
        _log.info("Cannot keep a reading in %s: %s", readings_folder(), error)


def version_of_run(run: Run) -> str:
    """Runs before there were versions had images without corrections."""
    return run.data_version or version_id(run.dataset_fingerprint, {})


def _path(run: Run, epoch: int, name: str, split: str, images: str) -> Path:
    key = repr([identify(run, epoch, images), name, split])
    return readings_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_SUFFIX}"


def _make_room() -> None:
    """Deletes the readings that were not used for longest."""
    files = []
    for path in readings_folder().glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            files.append((path.stat().st_mtime, path))
    for _, path in sorted(files)[: max(len(files) + 1 - MAX_FILES, 0)]:
        with contextlib.suppress(OSError):
            path.unlink()
