"""Which images of a split are shown, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError, Labels, Rows, Split
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet

Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.float32]

SORTS = {"label": "label", "name": "name", "size": "size", "brightness": "brightness"}
"""By label means a row for each class; the others show all images in one sequence."""
_CHUNK = 256


def rows_by_class(labels: Labels, shown: Mask, classes: int, order: Rows | None = None) -> list[Rows]:
    """The shown images of each class, as row numbers in the given order, or else as they are stored."""
    order = np.arange(len(labels)) if order is None else order
    order = order[shown[order]]
    grouped = order[np.argsort(labels[order], kind="stable")]
    bounds = np.searchsorted(labels[grouped], np.arange(classes + 1))
    return [grouped[bounds[n] : bounds[n + 1]] for n in range(classes)]


def matching(files: Sequence[str], text: str) -> Mask:
    """Which names contain all words of the text, in any case: bool (N,)."""
    words = text.casefold().split()
    return np.fromiter(
        (all(word in name for word in words) for name in map(str.casefold, files)), bool, len(files)
    )


def by_name(files: Sequence[str]) -> Rows:
    """Row numbers in the order of the file names, without their folders."""
    names = [name.rpartition("/")[2].casefold() for name in files]
    return np.array(sorted(range(len(names)), key=names.__getitem__), np.intp)


def brightness(split: Split, cancelled: CancelFunction) -> Keys:
    """The mean of all values of each image, 0 to 255: float32 (N,). Raises Cancelled."""
    found = np.empty(len(split), np.float32)
    for start in range(0, len(split), _CHUNK):
        raise_if_cancelled(cancelled)
        chunk = split.images[start : start + _CHUNK]
        found[start : start + _CHUNK] = chunk.mean(axis=(1, 2, 3), dtype=np.float32)
    return found


def file_areas(viewed: ViewedSet, part: str, progress: ProgressFunction, cancelled: CancelFunction) -> Keys:
    """The number of pixels of each image in its file, float32 (N,); 0 where it cannot be read.

    Raises Cancelled.
    """
    # Imported here, because the window is shown before Pillow is loaded.
    from cnnstudio.data.images.image_files import image_size, silence_pillow_warnings
    from cnnstudio.data.images.parallel import ordered_map

    files, source = viewed.files[part], viewed.source
    if source is None:
        _, height, width = viewed.dataset.shape
        return np.full(len(files), height * width, np.float32)
    folder, total = source.folder, len(files)

    def area(name: str) -> float:
        try:
            width, height = image_size(Path(folder, name))
        except DataError:
            return 0.0
        return float(width * height)

    found = np.zeros(total, np.float32)
    with silence_pillow_warnings(), closing(ordered_map(area, files, cancelled)) as areas:
        for row, each in enumerate(areas):
            found[row] = each
            progress(Progress(row + 1, total, f"Reading sizes: {row + 1:,} of {total:,} files"))
    return found
