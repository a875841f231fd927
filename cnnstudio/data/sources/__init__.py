"""All sources of images, one file each, found by walking this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.core.files import exists, expand_home, is_folder
from cnnstudio.core.formatting import as_printed, list_names
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.base import Source

if TYPE_CHECKING:
    from cnnstudio.data.sources.file_source import FileSource
    from cnnstudio.data.sources.folder_layout import Reading

__all__ = ["Source", "add_folder", "current_fingerprint", "find_source", "listed_name", "register", "sources"]


_LEFT_OUT = {
    "svhn": "SVHN is not among the data sets, because its files can only be read with SciPy: save its images "
    "as files in class folders and add that folder."
}
"""What one may look for, and why it is not there."""


@cache
def _kinds() -> tuple[type[Source], ...]:
    kinds = []
    for found in pkgutil.walk_packages(__path__, f"{__name__}."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            own = inspect.isclass(value) and value.__module__ == module.__name__
            if own and issubclass(value, Source) and not inspect.isabstract(value):
                kinds.append(value)
    return tuple(kinds)


def sources() -> list[Source]:
    """All sources: first the built-in ones, then the folders added by the user, each sorted by name."""
    found = [source for kind in _kinds() for source in kind.discover()]
    return sorted(found, key=lambda source: (not source.built_in, source.name))


def find_source(name_or_folder: str) -> Source:
    """The source of that name, or that had it, or the folder at that path.

    Raises DataError, which lists the known names.
    """
    from cnnstudio.data.sources.folder_list import current_name
    from cnnstudio.data.sources.image_folder import ImageFolder
    from cnnstudio.data.sources.image_table import ImageTable
    from cnnstudio.data.tables.label_table import is_table_name

    known = sources()
    wanted = name_or_folder.strip().lower()
    for source in known:
        if wanted in (source.name.lower(), source.title.lower()):
            return source
    path = expand_home(name_or_folder)
    for source in known:
        if source.built_in and _letters(wanted) == _letters(source.name) and not exists(path):
            return source
    for source in known:
        if as_printed(source.name) == name_or_folder:
            return source
    renamed = current_name(name_or_folder.strip())
    for source in known:
        if source.name == renamed:
            return source
    if name_or_folder.strip() and is_folder(path):
        return ImageFolder(path)
    if exists(path) and is_table_name(path.name):
        return ImageTable(path)
    names = list_names(source.name for source in known)
    if _letters(wanted) in _LEFT_OUT and not exists(path):
        raise DataError(f"{_LEFT_OUT[_letters(wanted)]} Choose {names}, or a folder of images.")
    if exists(path) and not is_folder(path):
        if path.suffix.lower() == ".zip":
            raise DataError(f"{path} is a zip file: add it first (cnnstudio data add), or choose {names}.")
        raise DataError(f"{path} is a file: choose a folder of images, or one of {names}.")
    raise DataError(
        f"There is no data set or folder “{shorten(name_or_folder, 200)}”: choose {names}, or a folder of "
        "images."
    )


def listed_name(source: Source) -> str:
    """The name that the images have in the user's list; that of the source itself if they are not in it.

    A run may name its images by their folder, which was added under another name.
    """
    path = getattr(source, "path", None)
    same = (each.name for each in sources() if path is not None and getattr(each, "path", None) == path)
    return next(same, source.name)


def _letters(name: str) -> str:
    """`fashionmnist` for Fashion-MNIST."""
    return re.sub(r"[\W_]+", "", name.lower())


def current_fingerprint(fingerprint: str) -> str:
    """The fingerprint that the same images have now, if an earlier version gave them another one."""
    for kind in _kinds():
        if fingerprint in kind.former_fingerprints:
            return kind.former_fingerprints[fingerprint]
    return fingerprint


def add_folder(
    path: Path, cancelled: CancelFunction = never_cancelled, reading: Reading | None = None
) -> FileSource:
    """Adds a folder of images to the user's sources. Raises DataError if it does not contain a data set.

    `reading` is how its subfolders are to be understood; None for the most likely way.
    """
    from cnnstudio.data.sources.image_folder import ImageFolder

    source = ImageFolder(path, reading=reading)
    source.listing(cancelled)
    return register(source)


def register(source: FileSource, name: str = "") -> FileSource:
    """Adds a folder or table that is known to be a data set. Raises FileError or DataError.

    If its name is taken, a number is appended; a `name` that the user has chosen is refused instead. A set
    that was added before keeps its name, unless `name` is another one.
    """
    from cnnstudio.data.sources.folder_list import register_set, registered_at

    entry = source.entry
    known, _ = registered_at(entry.path) or (None, None)
    if known is not None and name in ("", known):
        register_set(known, entry)
        return source.named(known)
    taken = {word.lower() for other in sources() for word in (other.name, other.title) if other.name != known}
    if name.lower() in taken:
        raise DataError(f"There is a data set “{shorten(name, 100)}” already: choose another name.")
    chosen, number = name or source.name, 2
    while chosen.lower() in taken:
        chosen, number = f"{source.name}-{number}", number + 1
    register_set(chosen, entry, replaces=known)
    return source.named(chosen)
