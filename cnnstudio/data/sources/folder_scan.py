"""What lies in a folder of images: its files by subfolder, and what cannot be read as an image."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_OTHER_SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
_IMAGE_SUFFIXES = frozenset(_JPEG_SUFFIXES + _OTHER_SUFFIXES)
_OPTIONAL_SUFFIXES = {".avif": "AVIF", ".heic": "HEIC", ".heif": "HEIC"}
"""Formats that only some installations can read."""
_OTHER_KINDS = {
    **dict.fromkeys((".csv", ".tsv"), "table"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z"), "archive"),
    **dict.fromkeys((".npy", ".npz", ".mat", ".h5", ".hdf5", ".pkl", ".tfrecord", ".parquet"), "arrays"),
}
_MAX_LINK_DEPTH = 3
"""Links to folders are followed for splits and classes, but not deeper."""
_REPORTED_DEPTH = 2
"""An unreadable folder is an error for splits and classes; deeper ones are left out."""
_SYSTEM_FOLDERS = ("/proc", "/sys", "/dev") if os.name == "posix" else ()
"""What is in there are no files: devices, and processes, whose folders lead to the whole disk again."""
_SHARED_MEMORY = "/dev/shm"
_MAX_FOLDERS, _MAX_ENTRIES = 500_000, 20_000_000
"""More than any set of images has: links and some drives have folders without end."""

Parts = tuple[str, ...]
"""The names of a folder and of those that it is in, from the scanned one on, which is ()."""


@dataclass
class FolderScan:
    """The files below a folder."""

    root: str
    images: dict[Parts, list[str]] = field(default_factory=dict)
    """The paths of the images that are directly in each folder, sorted."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many images are in a format that this installation cannot read, such as HEIC."""
    others: dict[str, str] = field(default_factory=dict)
    """Kind ("table", "archive", "arrays") -> the name of one such file."""

    def children(self, parts: Parts = ()) -> dict[str, set[str]]:
        """The folders in that one that have images somewhere below -> those of their subfolders that do."""
        depth, found = len(parts), dict[str, set[str]]()
        for each in self.images:
            if len(each) > depth and each[:depth] == parts:
                found.setdefault(each[depth], set()).update(each[depth + 1 : depth + 2])
        return dict(sorted(found.items()))

    def grouped(self, parts: Parts) -> dict[str, list[str]]:
        """The folders in that one -> all images in them and below, in the same order everywhere."""
        depth, found = len(parts), dict[str, list[str]]()
        for each, paths in self.images.items():
            if len(each) > depth and each[:depth] == parts:
                found.setdefault(each[depth], []).extend(paths)
        for paths in found.values():
            paths.sort(key=lambda path: path.split(os.sep))
        return dict(sorted(found.items()))

    def count(self, parts: Parts) -> int:
        """The number of images in that folder and below."""
        depth = len(parts)
        return sum(len(paths) for each, paths in self.images.items() if each[:depth] == parts)

    def own(self, parts: Parts) -> int:
        """The number of images directly in that folder."""
        return len(self.images.get(parts, ()))


def scan(folder: Path, cancelled: CancelFunction) -> FolderScan:
    """Lists a folder by file names; files without an extension are recognized by their first bytes.

    Raises DataError if the folder, or one that may be a split or a class, cannot be read, if it is one of the
    system, or if it has no end; Cancelled.
    """
    if _is_of_system(str(folder)):
        raise DataError(
            f"{folder} belongs to the system and has no files of yours: choose a folder of images."
        )
    found = FolderScan(str(folder))
    pending: list[tuple[Parts, str]] = [((), str(folder))]
    folders, left = 0, _MAX_ENTRIES
    while pending:
        parts, path = pending.pop()
        folders += 1
        try:
            entries = _entries(path, left + 1, cancelled)
        except OSError as error:
            if len(parts) <= _REPORTED_DEPTH:
                raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
            continue
        left -= len(entries)
        if folders > _MAX_FOLDERS or left < 0:
            limit = f"{_MAX_FOLDERS:,} folders" if left >= 0 else f"{_MAX_ENTRIES:,} files"
            raise DataError(f"{folder} has more than {limit}: choose the folder that the images are in.")
        images = []
        for entry in entries:
            # Files without an extension are opened, which takes a while where there are many.
            raise_if_cancelled(cancelled)
            if is_ignored(entry.name):
                continue
            if _is_folder(entry, len(parts), path):
                pending.append(((*parts, entry.name), entry.path))
            elif _classify(found, entry):
                images.append(entry.path)
        if images:
            found.images[parts] = sorted(images)
    return found


def _entries(path: str, most: int, cancelled: CancelFunction) -> list[os.DirEntry[str]]:
    """The first `most` things in a folder. Raises OSError, Cancelled."""
    found = []
    with os.scandir(path) as entries:
        for entry in islice(entries, most):
            raise_if_cancelled(cancelled)
            found.append(entry)
    return found


def _is_folder(entry: os.DirEntry[str], depth: int, parent: str) -> bool:
    try:
        if not entry.is_dir():
            return False
        if not entry.is_symlink():
            return f"{os.sep}{entry.name}" not in _SYSTEM_FOLDERS or not _is_of_system(entry.path)
    except OSError:
        return False
    # A link to a folder that it is in would go round for ever.
    target = os.path.realpath(entry.path)
    is_above = (os.path.realpath(parent) + os.sep).startswith(target.rstrip(os.sep) + os.sep)
    return depth < _MAX_LINK_DEPTH and not is_above and not _is_of_system(target)


def _is_of_system(path: str) -> bool:
    real = os.path.realpath(path)
    inside = any(f"{real}{os.sep}".startswith(f"{each}{os.sep}") for each in _SYSTEM_FOLDERS)
    return inside and not f"{real}{os.sep}".startswith(f"{_SHARED_MEMORY}{os.sep}")


def _classify(found: FolderScan, entry: os.DirEntry[str]) -> bool:
    """Whether the file is an image; notes down what else it may be."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in _IMAGE_SUFFIXES:
        return True
    if suffix in _OPTIONAL_SUFFIXES:
        name = _OPTIONAL_SUFFIXES[suffix]
        if name in readable_optional_formats():
            return True
        found.left_out[name] += 1
    elif not suffix:
        return _starts_like_an_image(entry.path)
    elif suffix in _OTHER_KINDS:
        found.others.setdefault(_OTHER_KINDS[suffix], entry.name)
    return False


def readable_suffixes() -> tuple[str, ...]:
    """The suffixes of image files that this installation can read, such as `.png`."""
    found = readable_optional_formats()
    optional = (suffix for suffix, name in _OPTIONAL_SUFFIXES.items() if name in found)
    return (*_OTHER_SUFFIXES[:1], *_JPEG_SUFFIXES, *_OTHER_SUFFIXES[1:], *optional)


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, of a format that at least some installations can read."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in _IMAGE_SUFFIXES or suffix in _OPTIONAL_SUFFIXES


def is_ignored(name: str) -> bool:
    """Whether the system or a tool created it, such as .DS_Store, .git or __MACOSX."""
    return name.startswith((".", "__MACOSX")) or name in (
        "lost+found",
        "$RECYCLE.BIN",
        "System Volume Information",
    )


def readable_optional_formats() -> frozenset[str]:
    """Those of AVIF and HEIC that this installation reads."""
    # Imported here so that the window can list folders that have none without loading Pillow.
    from cnnstudio.data.images.image_files import optional_formats

    return optional_formats()


def _starts_like_an_image(path: str) -> bool:
    from cnnstudio.data.images.image_files import has_image_signature

    return has_image_signature(Path(path))
