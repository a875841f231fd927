"""Finds out which of many files are images, and how large those are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images.image_files import image_size, read_pixels, silence_pillow_warnings
from cnnstudio.data.images.parallel import ordered_map

_MAX_DECODED = 20_000
"""Decoding tells everything, but only a header is read of each file where there are more."""


@dataclass
class FileCheck:
    """What was found."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(width, height) -> how many images have it."""
    problems: dict[str, str] = field(default_factory=dict)
    """Path -> why the file cannot be read as an image."""


def check_files(
    paths: Sequence[str], title: str, progress: ProgressFunction, cancelled: CancelFunction
) -> FileCheck:
    """Looks into all files. `title` names them in the progress. Raises Cancelled."""
    decodes = len(paths) <= _MAX_DECODED

    def check(path: str) -> tuple[int, int] | str:
        try:
            if decodes:
                _ = read_pixels(Path(path), (1, 8, 8))
            return image_size(Path(path))
        except DataError as error:
            return str(error).removeprefix(f"{path} ")

    found = FileCheck()
    with silence_pillow_warnings(), closing(ordered_map(check, paths, cancelled)) as results:
        for number, (path, result) in enumerate(zip(paths, results, strict=True), start=1):
            if isinstance(result, str):
                found.problems[path] = result
            else:
                found.sizes[result] += 1
            progress(Progress(number, len(paths), f"Checking {title}: {number:,} of {len(paths):,} files"))
    return found
