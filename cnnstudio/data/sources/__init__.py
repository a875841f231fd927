"""All sources of images, one file each, found by walking this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
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
    from cnnstudio.data.sources.folder_layout import Reading
    from cnnstudio.data.sources.image_folder import ImageFolder

__all__ = ["Source", "add_folder", "current_fingerprint", "find_source", "register", "sources"]


@cache
def _kinds() -> tuple[type[Source], ...]:
    kinds = []
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
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
    """The source of that name, or the folder at that path. Raises DataError, which lists the known names."""
    from cnnstudio.data.sources.image_folder import ImageFolder

    known = sources()
    wanted = name_or_folder.strip().lower()
    for source in known:
        if wanted in (source.name.lower(), source.title.lower()):
            return source
    for source in known:
        if as_printed(source.name) == name_or_folder:
            return source
    path = expand_home(name_or_folder)
    if name_or_folder.strip() and is_folder(path):
        return ImageFolder(path)
    names = list_names(source.name for source in known)
    if exists(path) and not is_folder(path):
        raise DataError(f"{path} is a file: choose a folder of images, or one of {names}.")
    raise DataError(
        f"There is no data set or folder “{shorten(name_or_folder, 200)}”: choose {names}, or a folder of "
        "images."
    )


def current_fingerprint(fingerprint: str) -> str:
    """The fingerprint that the same images have now, if an earlier version gave them another one."""
    for kind in _kinds():
        if fingerprint in kind.former_fingerprints:
            return kind.former_fingerprints[fingerprint]
    return fingerprint


def add_folder(
    path: Path, cancelled: CancelFunction = never_cancelled, reading: Reading | None = None
) -> ImageFolder:
    """Adds a folder of images to the user's sources. Raises DataError if it does not contain a data set.

    `reading` is how its subfolders are to be understood; None for the most likely way.
    """
    from cnnstudio.data.sources.image_folder import ImageFolder

    source = ImageFolder(path, reading=reading)
    source.listing(cancelled)
    return register(source)


def register(source: ImageFolder) -> ImageFolder:
    """Adds a folder that is known to contain a data set. Raises FileError or DataError.

    If the name is taken, a number is appended. A folder that was added before keeps its name.
    """
    from cnnstudio.data.sources.folder_list import register_folder, registered_folders
    from cnnstudio.data.sources.image_folder import ImageFolder

    reading = source.reading
    for name, entry in registered_folders().items():
        if entry.folder == source.folder:
            if entry.reading != reading:
                register_folder(name, source.folder, reading)
            return ImageFolder(source.folder, name, reading=reading)
    taken = {word.lower() for other in sources() for word in (other.name, other.title)}
    name, number = source.name, 2
    while name.lower() in taken:
        name, number = f"{source.name}-{number}", number + 1
    register_folder(name, source.folder, reading)
    return ImageFolder(source.folder, name, reading=reading)
