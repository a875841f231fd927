"""What dropped files and folders are, found out in a thread: the drive that they are on may be slow."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path

from cnnstudio.core.files import exists, is_folder, open_regular
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.core.zip_files import member_names
from cnnstudio.data.sources.folder_scan import is_ignored, is_image_name
from cnnstudio.data.tables.label_table import is_table_name
from cnnstudio.design.file import FORMAT, SUFFIX
from cnnstudio.interchange.source import CODE_SUFFIXES, ONNX_SUFFIX
from cnnstudio.runs.archive.unpacking import SUFFIX as RUN_SUFFIX
from cnnstudio.runs.run import RUN_FILE

_MAX_ENTRIES = 5_000
"""How many of a folder and its subfolders are looked at. Only what is added is listed as a whole."""
_HEAD_BYTES = 4_096
_MAX_DESIGN_BYTES = 64 * 2**20
_START_WEIGHTS = ".safetensors"
_WEIGHTS = (".h5", ".keras", ".pt", ".pth", ".ckpt", ".pb", ".tflite")
_SHEETS = (".xlsx", ".xls", ".ods")
_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z")
_ARRAYS = (".npy", ".npz", ".mat", ".hdf5", ".pkl", ".tfrecord", ".parquet")
_REASONS = {
    **dict.fromkeys(_WEIGHTS, "such a file can contain programs, so save its weights as .safetensors"),
    **dict.fromkeys(_SHEETS, "tables are read as CSV, so save it as one, with the columns file and label"),
    **dict.fromkeys(_ARCHIVES, "archives are not opened, so unpack it first"),
    **dict.fromkeys(_ARRAYS, "arrays are not read, so save the images as files, one folder per class"),
}
_UNKNOWN = "not a design, a run, code or an image"


class Kind(Enum):
    """What can be opened."""

    DESIGN = "design"
    CODE = "code"
    ONNX = "ONNX file"
    RUN = "run"
    WEIGHTS = "weights"
    DATA_SET = "data set"
    IMAGES = "images"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Found:
    """One thing, or all images together."""

    kind: Kind
    paths: tuple[Path, ...]
    details: str = ""
    """Of a data set, what it holds; of what cannot be used, why."""
    is_folder: bool = False
    """Whether the images come in folders, though not in one with a folder for each class."""

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def name(self) -> str:
        """`flowers`, `12 images` or `3 folders`."""
        if len(self.paths) > 1:
            return pluralize(len(self.paths), "folder" if self.is_folder else "image")
        return self.path.name or str(self.path)


def identify(paths: Sequence[Path], cancelled: CancelFunction) -> tuple[Found, ...]:
    """What each of these is; images are taken together. Raises Cancelled."""
    found, images = list[Found](), list[Found]()
    for path in paths:
        raise_if_cancelled(cancelled)
        each = _identify_folder(path, cancelled) if is_folder(path) else _identify_file(path)
        if each.kind is Kind.IMAGES:
            images.append(each)
        else:
            found.append(each)
    if images:
        together = tuple(each.path for each in images)
        found.append(Found(Kind.IMAGES, together, is_folder=all(each.is_folder for each in images)))
    return tuple(found)


def _identify_file(path: Path) -> Found:
    name, suffix = path.name.lower(), path.suffix.lower()
    if not exists(path):
        return Found(Kind.UNUSABLE, (path,), "there is no such file")
    if path.name == RUN_FILE:
        return Found(Kind.RUN, (path.parent,))
    if name.endswith(SUFFIX) or (suffix == ".json" and _is_design(path)):
        return Found(Kind.DESIGN, (path,))
    if suffix == ONNX_SUFFIX:
        return Found(Kind.ONNX, (path,))
    if suffix in CODE_SUFFIXES:
        return Found(Kind.CODE, (path,))
    if suffix == RUN_SUFFIX:
        return _identify_zip(path)
    if suffix == _START_WEIGHTS:
        return Found(Kind.WEIGHTS, (path,))
    if is_table_name(name):
        return Found(Kind.DATA_SET, (path,), "the images that the table lists")
    if is_image_name(name):
        return Found(Kind.IMAGES, (path,))
    return Found(Kind.UNUSABLE, (path,), _REASONS.get(suffix, _UNKNOWN))


def _identify_zip(path: Path) -> Found:
    """By the names in it, which are not trusted any further."""
    names = member_names(path)
    if names is None:
        return Found(Kind.UNUSABLE, (path,), "it is not a zip file, or it is damaged")
    if any(name == RUN_FILE or (name.count("/") == 1 and name.endswith(f"/{RUN_FILE}")) for name in names):
        return Found(Kind.RUN, (path,))
    images = sum(map(is_image_name, names))
    if images or any(map(is_table_name, names)):
        return Found(Kind.DATA_SET, (path,), pluralize(images, "image"))
    return Found(Kind.UNUSABLE, (path,), "it has neither a run nor images in it")


def _is_design(path: Path) -> bool:
    """Whether a JSON file says that it is a design; a design may be saved under any name."""
    try:
        with open_regular(path, _MAX_DESIGN_BYTES) as file:
            return FORMAT.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _identify_folder(path: Path, cancelled: CancelFunction) -> Found:
    if exists(path / RUN_FILE):
        return Found(Kind.RUN, (path,))
    with_images, runs = _look_into(path, cancelled)
    if len(with_images) > 1:
        return Found(Kind.DATA_SET, (path,), f"{len(with_images):,} folders of images")
    if with_images:
        return Found(Kind.IMAGES, (path,), is_folder=True)
    reason = "it has runs in it: open one of them" if runs else "it has no images and is not a run"
    return Found(Kind.UNUSABLE, (path,), reason)


def _look_into(path: Path, cancelled: CancelFunction) -> tuple[set[str], int]:
    """The folders that hold images directly, and how many runs there are, among the first entries."""
    with_images, runs, left = set[str](), 0, _MAX_ENTRIES
    pending = deque([str(path)])
    while pending and left > 0:
        raise_if_cancelled(cancelled)
        folder = pending.popleft()
        for entry in _entries(folder, left):
            left -= 1
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.name == RUN_FILE:
                runs += 1
            elif is_image_name(entry.name):
                with_images.add(folder)
                if folder != str(path):
                    # One is enough: a class may have very many.
                    break
    return with_images, runs


def _entries(folder: str, limit: int) -> Iterator[os.DirEntry[str]]:
    """Some entries of a folder; none of one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            yield from islice((entry for entry in entries if not is_ignored(entry.name)), limit)
    except OSError:
        return
