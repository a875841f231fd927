"""Finds out which of many files are images, and how large those are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images.image_files import image_size, read_pixels, silence_pillow_warnings
from cnnstudio.data.images.parallel import ordered_map

_MAX_TRIED = 1_000
"""Of a class whose first files are none; where so many are, it takes a while to look further."""
_MAX_DECODED = 20_000
"""Decoding tells everything, but only a header is read of each file where there are more."""


@dataclass
class FileCheck:
    """What was found."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(width, height) -> how many images have it."""
    problems: dict[str, str] = field(default_factory=dict)
    """Path -> why the file cannot be read as an image."""


def find_unreadable_classes(
    files: Sequence[tuple[str, int]], needed: int, cancelled: CancelFunction
) -> frozenset[str]:
    """The files that cannot be read, of the classes in which fewer than `needed` can be. Raises Cancelled.

    `files` are paths with the number of their class. Only headers are read, and of most classes only those of
    the first files: a damaged image may still be found when it is decoded.
    """
    by_class = dict[int, list[str]]()
    for path, label in files:
        by_class.setdefault(label, []).append(path)

    def check(paths: list[str]) -> list[str]:
        found, left = list[str](), needed
        for path in paths[:_MAX_TRIED]:
            raise_if_cancelled(cancelled)
            try:
                image_size(Path(path))
            except DataError:
                found.append(path)
            else:
                left -= 1
            if not left:
                break
        return found if left and len(paths) <= _MAX_TRIED else []

    with silence_pillow_warnings(), closing(ordered_map(check, by_class.values(), cancelled)) as results:
        return frozenset(path for found in results for path in found)


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
